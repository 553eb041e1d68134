"""What a reader should know about an image, in a few words each: badges made from a `Reading`'s notes and facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.workbench.reading import Reading

# Few words for each note's code; the note's own sentence stands in the tooltip.
_TITLES = {
    "animal": "Animal",
    "ap-view": "AP or bedside view",
    "bad-lookup-table": "Lookup table left out",
    "bad-rescale": "Rescale left out",
    "bits-stored-disagrees": "Bit depth contradicts",
    "bones-not-found": "Bones not found",
    "burned-in": "Text in the pixels",
    "clipped": "Grey values clipped",
    "coloured-parts": "Coloured parts",
    "decoded-otherwise": "Decoded otherwise",
    "degenerate-window": "Window unusable",
    "empty-heatmap": "Heatmap empty",
    "file-orientation": "Turned as the file says",
    "for-processing": "Raw, for processing",
    "gate-uncertain": "Image check unsure",
    "header-orientation": "Orientation in header",
    "image-unchecked": "Image not checked",
    "input-borderline": "At the edge of training",
    "input-in": "Like training images",
    "input-out": "Unlike training images",
    "input-unchecked": "Input not checked",
    "lossy": "Lossy compression",
    "low-bit-depth": "Few shades of grey",
    "low-resolution": "Low resolution",
    "masks-implausible": "Outlines implausible",
    "mirror-suspected": "Mirrored?",
    "no-dicom": "No DICOM header",
    "no-spacing": "No pixel spacing",
    "no-window": "No window in header",
    "non-square-pixels": "Pixels not square",
    "not-frontal-view": "Not a frontal view",
    "orientation-corrected": "Orientation corrected",
    "orientation-disagrees": "Orientation doubtful",
    "out-of-memory": "Graphics memory was full",
    "outside-population": "Outside the population",
    "placed-by-hand": "Placed by hand",
    "polarity-corrected": "Polarity corrected",
    "polarity-disagrees": "Polarity doubtful",
    "polarity-tags-disagree": "Polarity contradicts",
    "precision": "Full precision used",
    "secondary-capture": "Secondary capture",
    "several-windows": "Several windows",
    "site-disagrees": "Body part contradicts",
    "spacing-detector": "Lengths at the detector",
    "spacing-magnification": "Magnification corrected",
    "spacing-of-scene": "Spacing set in the scene",
    "spacing-uncalibrated": "Spacing not calibrated",
    "stretched": "Contrast stretched",
    "text-found": "Text in the picture",
    "text-masked": "Text covered",
    "transparent": "Transparent parts",
    "unknown-modality": "No modality",
    "unknown-view": "View unknown",
    "view-disagrees": "View contradicts",
    "volume-differs": "Differs from its file",
    "volume-turned": "Turned in the scene",
}
# These say that a fact is unknown; the facts themselves are named together in one badge.
_UNKNOWN = ("no-dicom", "no-header", "no-spacing", "unknown-view", "unknown-modality")


@dataclass(frozen=True)
class Badge:
    """A few words, their severity ("info" or "warning"), and the whole sentence."""

    title: str
    severity: str
    sentence: str


def badges(reading: Reading) -> list[Badge]:
    """Warnings first; all that is unknown is named together in one badge."""
    warnings: list[Badge] = []
    remarks: list[Badge] = []
    unknown_notes: list[Note] = []
    for note in reading.notes:
        if note.code in _UNKNOWN:
            unknown_notes.append(note)
            continue
        title = _TITLES.get(note.code) or note.code.replace("-", " ").capitalize()
        (warnings if note.severity == "warning" else remarks).append(Badge(title, note.severity, note.text))
    found = unknown_facts(reading)
    if found or unknown_notes:
        doubtful = any(note.severity == "warning" for note in unknown_notes)
        sentences = [f"Not known: {', '.join(found)}."] if found else []
        sentences += [note.text for note in unknown_notes]
        title = f"Unknown: {', '.join(found)}" if found else "Header incomplete"
        badge = Badge(title, "warning" if doubtful else "info", " ".join(sentences))
        if doubtful:
            warnings.append(badge)
        else:
            remarks.insert(0, badge)
    return warnings + remarks


def unknown_facts(reading: Reading) -> list[str]:
    """Names of the facts that neither the header nor the reader gave."""
    facts, source = reading.facts, _source(reading.facts)
    known = {
        "pixel spacing": reading.spacing_mm,
        "view": facts.get("view"),
        "body part": facts.get("site"),
        "sex": source.get("patient_sex"),
        "age": source.get("patient_age"),
    }
    return [name for name, value in known.items() if not value]


def facts_line(reading: Reading) -> str:
    """What is known, in one line: size, spacing, view, body part, sex and age."""
    facts, source = reading.facts, _source(reading.facts)
    rows, columns = reading.pixels.shape
    parts = [f"{columns} × {rows} px"]
    if reading.spacing_mm is not None:
        row, column = reading.spacing_mm
        size = f"{row:.3g}" if abs(row - column) < 5e-4 else f"{column:.3g} × {row:.3g}"
        parts.append(f"{size} mm/px")
    parts += [word for word in (facts.get("view"), str(facts.get("site") or "").capitalize()) if word]
    patient = " ".join(word for word in (_SEXES.get(str(source.get("patient_sex") or "")), _age(source)) if word)
    # Spaces that do not break, so that no unit is parted from its number.
    return " · ".join(part.replace(" ", "\u00a0") for part in [*parts, patient] if part)


_SEXES = {"F": "woman", "M": "man", "O": "sex other"}


def _age(source: Mapping[str, Any]) -> str:
    """ "062Y" → "62 y"; months, weeks and days keep their letter."""
    text = str(source.get("patient_age") or "").strip()
    number, unit = (text[:-1], text[-1:].lower()) if text[-1:].isalpha() else (text, "y")
    return f"{int(number)} {unit}" if number.isdigit() else ""


def _source(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    source = facts.get("source")
    return source if isinstance(source, Mapping) else {}
