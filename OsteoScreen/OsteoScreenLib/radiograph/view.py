"""View and body site as a header names them, in its codes, its words and its abbreviations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.radiograph import Note, Placement

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# SNOMED CT and SRT codes of the DICOM context group 4010, "DX View".
_VIEW_CODES = {
    "272479007": "PA", "R-40888": "PA", "R-10214": "PA",
    "399348003": "AP", "R-10206": "AP",
    "399067008": "LATERAL", "R-102CD": "LATERAL", "399173006": "LATERAL", "R-10236": "LATERAL",
    "399198007": "LATERAL", "R-10232": "LATERAL",
    "399182000": "OBLIQUE", "R-102C1": "OBLIQUE", "399312000": "OBLIQUE", "399059000": "OBLIQUE",
}  # fmt: skip
_VIEW_POSITIONS = {"LL": "LATERAL", "RL": "LATERAL", "LLD": "LATERAL", "RLD": "LATERAL", "LLO": "OBLIQUE", "RLO": "OBLIQUE"}
_VIEW_WORDS = {
    "OBLIQUE": re.compile(r"OBLIQ|SCHR[ÄA]E?G|\b[LR]AO\b|\b[LR]PO\b"),
    "LATERAL": re.compile(r"\bLAT\b|LATERAL|SEITLICH|\bPROFIL|\bDECUB"),
    "PA": re.compile(r"\bP\.? ?A\b|\bPOSTERO-?\s?ANTERIOR"),
    "AP": re.compile(r"\bA\.? ?P\b|\bANTERO-?\s?POSTERIOR"),
}
_SITE_CODES = {"51185008": "CHEST", "816094009": "CHEST", "T-D3000": "CHEST"}
# Canonical site → words in the languages modalities write. The first that is found wins, so parts stand before wholes.
_SITE_WORDS = (
    ("CSPINE", r"C-?\s?SPINE|CERVICAL|\bHWS\b|CERVICALE"),
    ("TSPINE", r"T-?\s?SPINE|THORACIC SPINE|DORSAL SPINE|\bBWS\b"),
    ("LSPINE", r"L-?\s?SPINE|LUMBAR|\bLWS\b|LOMBAIRE"),
    ("CHEST", r"CHEST|THORAX|TH?ORACIC|TORAX|TORACE|THORACIQUE|\bLUNGS?\b|\bCXR\b|PULMO|胸"),
    ("RIBS", r"\bRIBS?\b"),
    ("SHOULDER", r"SHOULDER|CLAVIC|SCHULTER|EPAULE|ÉPAULE|SCAPULA"),
    ("PELVIS", r"PELVIS|BECKEN|BASSIN"),
    ("HIP", r"\bHIPS?\b|HÜFT|HANCHE"),
    ("KNEE", r"KNEE|\bKNIE\b|GENOU"),
    ("ABDOMEN", r"ABDOM|\bKUB\b"),
    ("SKULL", r"SKULL|SCHÄDEL|CRANE|CRÂNE"),
    ("JAW", r"\bJAW\b|PANORAM|ORTHOPAN|\bOPG\b|MANDIB|MAXILL|\bTEETH\b|DENTAL|\bTOOTH\b"),
    ("HAND", r"\bHAND|WRIST|FINGER"),
    ("FOOT", r"\bFOOT\b|ANKLE|\bFU(SS|ß)|CALCAN"),
    ("LEG", r"\bTIBIA|\bFIBULA|LOWER LEG|FEMUR|\bTHIGH"),
    ("ARM", r"HUMERUS|FOREARM|ELBOW|\bARM\b"),
    ("SPINE", r"\bSPINE\b"),
)
_SITE_PATTERNS = tuple((site, re.compile(words)) for site, words in _SITE_WORDS)
# Defined Terms of Body Part Examined before they became a table of their own (DICOM PS3.3-2008, C.7.3.1).
_DEFINED_SITES = {
    "SKULL", "CSPINE", "TSPINE", "LSPINE", "SSPINE", "COCCYX", "CHEST", "CLAVICLE", "BREAST", "ABDOMEN", "PELVIS", "HIP", "SHOULDER",
    "ELBOW", "KNEE", "ANKLE", "HAND", "FOOT", "EXTREMITY", "HEAD", "HEART", "NECK", "LEG", "ARM", "JAW",
}  # fmt: skip
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "StudyDescription")


def view_of_header(dataset: Dataset) -> str:
    """ "PA", "AP", "LATERAL", "OBLIQUE", another ViewPosition as written, or "" when the header does not say."""
    position = header.word(dataset, "ViewPosition")
    if position:
        known = _VIEW_POSITIONS.get(position) or view_in(position.replace("_", " "))
        # Other abbreviations are kept; longer text in this place may name a person.
        return known or (position if re.fullmatch(r"[A-Z]{2,5}", position) else "")
    for item in header.items(dataset, "ViewCodeSequence"):
        view = _VIEW_CODES.get(header.text(item, "CodeValue")) or view_in(header.word(item, "CodeMeaning"))
        if view:
            return view
    for keyword in _DESCRIPTIONS:
        view = view_in(header.word(dataset, keyword))
        if view:
            return view
    # Columns that run towards the patient's front or back show the patient from the side.
    across = header.word(dataset, "PatientOrientation")[:1]
    return "LATERAL" if across in {"A", "P"} else ""


def site_of_header(dataset: Dataset) -> str:
    """Body part in upper case: a canonical name where it is known ("CHEST", "HIP", …), else as written, else ""."""
    examined = header.word(dataset, "BodyPartExamined")
    if examined:
        return site_in(examined.replace("_", " ")) or _as_code(examined)
    for item in header.items(dataset, "AnatomicRegionSequence"):
        site = _SITE_CODES.get(header.text(item, "CodeValue")) or site_in(header.word(item, "CodeMeaning"))
        if site:
            return site
    for keyword in _DESCRIPTIONS:
        site = site_in(header.word(dataset, keyword))
        if site:
            return site
    return "JAW" if header.word(dataset, "Modality") in {"PX", "IO"} else ""


def known_view(text: str) -> str:
    """PA, AP, LATERAL or OBLIQUE, "" for any other text: a value that cannot be a person's name."""
    return _VIEW_POSITIONS.get(text.upper()) or view_in(text.replace("_", " "))


def known_site(text: str) -> str:
    """A body part as this room or the standard names it, "" for any other text: it may name a person."""
    return text if text in _DEFINED_SITES or text in {site for site, _ in _SITE_WORDS} else ""


def view_in(words: str) -> str:
    """The one view that a text names; "" when it names none or, as in "PA and lateral", several."""
    found = [view for view, pattern in _VIEW_WORDS.items() if pattern.search(words.upper())]
    return found[0] if len(found) == 1 else ""


def _as_code(word: str) -> str:
    """A word as written, if it has the form of a DICOM code string: free text in its place may name a person."""
    return word if re.fullmatch(r"[A-Z0-9 _]{1,16}", word) else ""


def site_in(words: str) -> str:
    """The body part that a text names, canonically; "" when it names none that is known."""
    return next((site for site, pattern in _SITE_PATTERNS if pattern.search(words.upper())), "")


_ORIENTATION = re.compile(r"[LRAPHF]+")


def orientation_notes(dataset: Dataset, view: str) -> list[Note]:
    """What PatientOrientation claims when that is not an upright image with the patient's left on the viewer's right.

    Tags lie, so the image is not moved: the pixels decide its way up, the reader whether it is mirrored.
    """
    directions = [one.upper() for one in header.texts(dataset, "PatientOrientation")]
    if len(directions) != 2 or not all(_ORIENTATION.fullmatch(one) for one in directions):
        return []
    claimed = placement_of_orientation(directions[0], directions[1])
    if claimed is None or claimed == Placement() or (view == "LATERAL" and directions[1][0] == "F"):
        return []
    moves = []
    if claimed.quarter_turns:
        moves.append("lies on its side" if claimed.quarter_turns % 2 else "is upside down")
    if claimed.mirrored:
        moves.append("is mirrored")
    text = (
        f"The header says that the image {' and '.join(moves)} (PatientOrientation {directions[0]}\\{directions[1]}); "
        "such tags are often wrong, so nothing was turned or flipped for it."
    )
    return [Note("header-orientation", "warning", text)]


def placement_of_orientation(across: str, down: str) -> Placement | None:
    """The placement that would turn an image with these PatientOrientation values upright (patient's left to the right).

    across, down : where rows and columns run to (L, R, A, P, H, F; further letters refine). None when they say nothing definite.
    """
    first, second = across[:1], down[:1]
    vertical, sideways = {"H", "F"}, {"L", "R", "A", "P"}
    if first in sideways and second in vertical:
        mirrored, upside_down = first in {"R", "P"}, second == "H"
        if upside_down:
            return Placement(not mirrored, 2)
        return Placement(mirrored, 0)
    if first in vertical and second in sideways:
        # Mirroring about the diagonal makes rows columns: then as above.
        swapped = placement_of_orientation(second, first)
        return None if swapped is None else Placement(True, 1).then(swapped.mirrored, swapped.quarter_turns)
    return None
