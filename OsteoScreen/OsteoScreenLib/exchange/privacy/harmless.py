"""What a header may keep because it cannot name anyone: numbers, words of closed lists, codes of known dictionaries.

The profile's table (`profile`) lists the attributes that are known to identify. Patients are also named where nobody expects it, in a
body part or a code's meaning, so that of all other attributes only what stands in the lists here is kept, and the rest emptied.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.radiograph.quality import age_in_years, is_animal, is_portable
from OsteoScreenLib.radiograph.view import known_site, site_in, view_in

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

OLDEST = 90  # ages above stand as 90, as the safe harbour of HIPAA asks (45 CFR 164.514)

# Value representations of binary numbers.
NUMERIC = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
# Terms that PS3.3 defines for the attributes of CR, DX, intra-oral, panoramic and secondary capture images.
_TERMS = """
    ORIGINAL DERIVED PRIMARY SECONDARY OTHER NORMALIZED POST_PROCESSED PROJECTION CR DX DR RG PX IO SC OT YES NO LEFT RIGHT UNPAIRED
    MONOCHROME1 MONOCHROME2 RGB PALETTE_COLOR YBR_FULL YBR_FULL_422 YBR_RCT YBR_ICT IDENTITY INVERSE LIN LOG LINEAR LINEAR_EXACT SIGMOID
    DV DI DF WSD SD SI DRW SYN RECTANGULAR CIRCULAR POLYGONAL RECTANGLE ROUND HEXAGONAL BLACK WHITE PORTRAIT LANDSCAPE AUTOMATIC MANUAL
    NONE FIXED FOCUSED RECIPROCATING PARALLEL CROSSED COLUMN CARM MAMMOGRAPHIC PANORAMIC CEPHALOSTAT RIGID SLOT AREA DIRECT SCINTILLATOR
    STORAGE FILM GEOMETRY FIDUCIAL WEDGE BUTTERFLY STRIP MULTIPLE FLAT ERECT RECUMBENT SEMIERECT PRONE SUPINE 00 01 01C02 ISO_10918_1
    ISO_14495_1 ISO_15444_1 ISO_15444_15 ISO_10918_2 QUADRUPED BIPED HU US OD UNSPECIFIED CONTINUOUS PULSED STOP TRUE FALSE L R U B F M O
    NORMAL MAGNIFIED FOR_PRESENTATION FOR_PROCESSING
"""
_WORDS = frozenset(_TERMS.split())
_VIEWS = frozenset({"AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO"})  # PS3.3 C.8.1.2
_MAKERS = (
    "AGFA", "CANON", "CARESTREAM", "DRTECH", "FUJI", "GE", "HOLOGIC", "KODAK", "KONICA", "LODOX", "PHILIPS", "SAMSUNG", "SHIMADZU",
    "SIEMENS", "SIRONA", "STEPHANIX", "SWISSRAY", "TOSHIBA", "TRIXELL", "VAREX", "VATECH", "VIEWORKS", "PLANMECA", "ROTANODE",
)  # fmt: skip


def harmless(keyword: str, vr: str, values: list[Any]) -> list[Any]:
    """The values that may stay, in their places; [] when none may.

    keyword : the attribute's. vr : its value representation, not SQ and no bytes. values : numbers or text.
    """
    kept = [_harmless(keyword, vr, value) for value in values]
    while kept and kept[-1] == "":
        kept.pop()
    return kept


def is_term(text: str) -> bool:
    """Whether a text is a word that the standard defines, and so nobody's."""
    return text.upper().replace(" ", "_") in _WORDS


def described(text: str) -> str:
    """What a free description says about the image in words of this program: body part, view, bedside image, animal; often ""."""
    upper = text.upper()
    words = (site_in(text), view_in(text), "PORTABLE" * is_portable(upper), "ANIMAL" * is_animal(upper))
    return " ".join(word for word in words if word)


def known_code(item: Dataset) -> tuple[str, str, str] | None:
    """(value, scheme, meaning) of a code that pydicom's dictionaries of DICOM's and SNOMED's codes hold, in their words."""
    from pydicom.sr.coding import Code

    from OsteoScreenLib.radiograph import header

    value, scheme = header.text(item, "CodeValue"), header.text(item, "CodingSchemeDesignator").upper()
    known = _codes(scheme).get(value)
    if known is not None:
        return value, scheme, known
    if scheme in {"SRT", "SNM3", "99SDM"}:  # SNOMED's former form, which pydicom holds equal to the present one
        former = Code(value, "SRT", "")
        for modern, meaning in _codes("SCT").items():
            if former == Code(modern, "SCT", meaning):
                return value, scheme, meaning
    return None


def _harmless(keyword: str, vr: str, value: Any) -> Any:
    if vr in NUMERIC:
        return value
    text = str(value).strip(" \0")
    if vr in {"DS", "IS"}:
        return text if _NUMBER.fullmatch(text) and len(text) <= 16 else ""
    if keyword == "PatientAge":
        return _age(text)
    if keyword == "BodyPartExamined":
        return known_site(text.upper()) or site_in(text.replace("_", " "))
    if keyword == "ViewPosition":
        return text.upper() if text.upper() in _VIEWS else view_in(text.replace("_", " "))
    if keyword == "PatientOrientation":
        return text.upper() if re.fullmatch(r"[LRAPHF]{1,3}", text.upper()) else ""
    if keyword == "Manufacturer":
        return next((maker for maker in _MAKERS if re.search(rf"\b{maker}", text.upper())), "")
    if keyword == "RescaleType":
        return text.upper() if text.upper() in {"US", "OD", "HU"} else "US"  # unspecified
    if keyword == "PixelSpacingCalibrationDescription":
        return "not kept" if text else ""  # required where the calibration's type is given
    if keyword == "PatientSpeciesDescription":
        return "ANIMAL" if text and not re.search("HUMAN|HOMO", text.upper()) else ""
    return text if vr == "CS" and is_term(text) else ""


def _age(text: str) -> str:
    years = age_in_years(text)
    if years is None:
        return ""
    return (
        f"{OLDEST:03}Y" if years >= OLDEST else text.upper() if re.fullmatch(r"\d{3}[DWMYdwmy]", text) else f"{int(years):03}Y"
    )


@cache
def _codes(scheme: str) -> dict[str, str]:
    """Code value → meaning, of one scheme of pydicom's dictionaries."""
    from pydicom.sr.codedict import codes

    if scheme not in {"DCM", "SCT", "UCUM"}:
        return {}
    return {code.value: code.meaning for code in getattr(codes, scheme).concepts.values()}
