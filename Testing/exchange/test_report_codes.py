"""The vocabulary of the structured report."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.codes import PRIVATE_SCHEME


def test_codes_fit_their_elements_and_stand_for_one_thing() -> None:
    concepts = terms.private_concepts()
    assert len({code.value for code in concepts}) == len({code.meaning for code in concepts}) == len(concepts) > 80
    for code in concepts:
        assert code.value == code.value.upper() and len(code.value) <= 16 and len(code.meaning) <= 64, code


def test_standard_codes_are_dicoms_own() -> None:
    """Those of DICOM, UCUM and LOINC agree with the dictionaries that pydicom ships; SNOMED CT's where it has them."""
    from pydicom.sr import _concepts_dict

    concepts: dict[str, Any] = _concepts_dict.concepts

    known = {
        (scheme, value): meaning
        for scheme in ("DCM", "SCT", "UCUM", "LN", "UMLS")
        for named in concepts[scheme].values()
        for value, (meaning, _) in named.items()
    }
    from OsteoScreenLib.exchange.dicom import (
        group_maker,
        image_library,
        read_groups,
        read_report,
        report_groups,
        structured_report,
    )

    checked = 0
    for module in (terms, group_maker, image_library, read_groups, read_report, report_groups, structured_report):
        values: list[Any] = list(vars(module).values())
        for value in values:
            for code in value.values() if isinstance(value, dict) else (value,):
                if isinstance(code, Code) and (code.scheme, code.value) in known:
                    checked += 1
                elif isinstance(code, Code):
                    assert (
                        code.scheme == PRIVATE_SCHEME
                        or code.value in {"312894000", "64859006", "C0034375"}
                        or "{" in code.value
                    ), code
    assert checked > 25
