"""The tables of Resources/Docs/dicom-conformance.md that follow from the code.

python Testing/exchange/conformance_docs.py            say whether they are up to date; exit status 1 when they are not
python Testing/exchange/conformance_docs.py --write    renew them
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom.uid import UID

from OsteoScreenLib.bones.vocabulary import SITES, Code
from OsteoScreenLib.exchange.dicom import codes, image_library, report_codes, structured_report
from OsteoScreenLib.exchange.dicom.report_codes import private_concepts
from OsteoScreenLib.exchange.dicom.series import SERIES
from OsteoScreenLib.exchange.pacs.receiving import TRANSFER_SYNTAXES
from OsteoScreenLib.gateway.receiving import CLASSES

PAGE = Path(__file__).resolve().parents[2] / "Resources" / "Docs" / "dicom-conformance.md"


def tables() -> dict[str, str]:
    """Name of a table → its Markdown."""
    return {
        "series": _table(("Series Number", "Series Description"), ((one.number, one.description) for one in SERIES.values())),
        "bones": _table(
            ("site", "bone", "code", "meaning", "laterality"),
            (
                (site.name, bone.name, _of(bone.code), bone.code.meaning, _of(bone.side_code) if bone.side_code else "")
                for site in SITES.values()
                for bone in site.bones
            ),
        ),
        "standard": _table(("code", "meaning"), ((_of(code), code.meaning) for code in _standard())),
        "private": _table(("Code Value", "Code Meaning"), ((f"`{code.value}`", code.meaning) for code in private_concepts())),
        "retrieved": _table(("UID", "transfer syntax"), ((uid, UID(uid).name) for uid in TRANSFER_SYNTAXES)),
        "received-classes": _table(("UID", "SOP class"), ((uid, UID(uid).name) for uid in CLASSES)),
        "received-syntaxes": _table(("UID", "transfer syntax"), ((uid, UID(uid).name) for uid in TRANSFER_SYNTAXES)),
    }


def renewed(text: str) -> str:
    """The page with its tables between their marks. Raises `ValueError` when a mark is missing."""
    for name, table in tables().items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, after = text.index(begin) + len(begin), text.index(end)
        text = f"{text[:before]}{table}{text[after:]}"
    return text


def _standard() -> list[Code]:
    """Codes of DICOM, SNOMED CT, LOINC and UCUM that the objects use besides the bones', each once."""
    found: dict[tuple[str, str], Code] = {}
    for module in (codes, image_library, report_codes, structured_report):
        for value in vars(module).values():
            for code in value.values() if isinstance(value, dict) else (value,):
                if isinstance(code, Code) and code.scheme != codes.PRIVATE_SCHEME:
                    found.setdefault((code.scheme, code.value), code)
    return [found[key] for key in sorted(found)]


def _of(code: Code) -> str:
    return f"{code.value} {code.scheme}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def main(arguments: list[str]) -> int:
    text = PAGE.read_text(encoding="utf-8")
    new = renewed(text)
    if "--write" in arguments:
        PAGE.write_text(new, encoding="utf-8")
    elif new != text:
        print(f"{PAGE.name} is not up to date; run this with --write.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
