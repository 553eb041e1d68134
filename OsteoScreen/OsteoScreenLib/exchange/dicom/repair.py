"""Values of a header that may be wrong → the valid ones among them, ready for a new object."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.radiograph import header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ufffd]")
_ENUMERATED = {
    "PatientSex": {"M", "F", "O"},
    "PatientIdentityRemoved": {"YES", "NO"},
    "QualityControlSubject": {"YES", "NO"},
    "LongitudinalTemporalInformationModified": {"UNMODIFIED", "MODIFIED", "REMOVED"},
    "TypeOfPatientID": {"TEXT", "RFID", "BARCODE"},
    "ResponsiblePersonRole": {
        "OWNER", "PARENT", "CHILD", "SPOUSE", "SIBLING", "RELATIVE", "GUARDIAN", "CUSTODIAN", "AGENT", "INVESTIGATOR", "VETERINARIAN",
    },
}  # fmt: skip
_CODED = ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning")
_ISSUER = ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType")


def copy_valid(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    """Set in `target` those attributes of `source` that hold a valid value; leave the others out.

    Of several values the first is taken. Sequences of codes keep their well-formed items. Neither data set's other attributes
    are touched.
    """
    from pydicom.datadict import dictionary_VR

    for keyword in keywords:
        if dictionary_VR(keyword) == "SQ":
            items = [item for one in header.items(source, keyword) if (item := _item(one, keyword)) is not None]
            if items:
                setattr(target, keyword, items)
        elif (value := valid_value(source, keyword)) is not None:
            setattr(target, keyword, value)


def valid_value(dataset: Dataset, keyword: str) -> Any:
    """The attribute's first value as text, or a number for DS, when the standard allows it (PS3.5 6.2); else None."""
    from pydicom.config import RAISE
    from pydicom.datadict import dictionary_VR
    from pydicom.valuerep import DA, TM, validate_value

    vr = dictionary_VR(keyword)
    if vr == "DS":
        number = header.number(dataset, keyword)
        return None if number is None or not 0 < number < 1e6 else _decimal(number)
    text = header.text(dataset, keyword)
    if vr == "DA":
        text = re.sub(r"^(\d{4})\.(\d{2})\.(\d{2})$", r"\1\2\3", text)  # as ACR-NEMA wrote dates
    if vr == "CS":
        text = text.upper()
    if not text or _CONTROLS.search(text) or text not in _ENUMERATED.get(keyword, {text}):
        return None
    try:
        validate_value(vr, text, RAISE)
        # Ranges are allowed in queries, and the form allows days that no month has.
        {"DA": DA, "TM": TM}.get(vr, str)(text)
    except Exception:  # whatever a value raises that is none
        return None
    if vr == "PN" and not _is_name(text):
        return None
    return text


def _item(item: Dataset, keyword: str) -> Dataset | None:
    from pydicom.dataset import Dataset

    kept = Dataset()
    if keyword == "IssuerOfAccessionNumberSequence":
        copy_valid(item, kept, _ISSUER)
        return (
            kept
            if "LocalNamespaceEntityID" in kept or {"UniversalEntityID", "UniversalEntityIDType"} <= set(kept.dir())
            else None
        )
    copy_valid(item, kept, _CODED)
    return kept if all(word in kept for word in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")) else None


def _is_name(text: str) -> bool:
    """At most three groups of at most 64 characters and five components (PS3.5 6.2.1)."""
    groups = text.split("=")
    return len(groups) <= 3 and all(len(group) <= 64 and group.count("^") <= 4 for group in groups)


def _decimal(number: float) -> float | None:
    """A number as the 16 characters of a decimal string hold it."""
    rounded = float(f"{number:.6g}")
    return rounded if math.isfinite(rounded) else None
