"""The report: one self-contained HTML file with the answer, its pictures and everything that qualifies them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import NUMBERING, SHORT, Mark
from OsteoScreenLib.exchange.overlay import banner, bar_remark, heat_bar
from OsteoScreenLib.exchange.pages import template
from OsteoScreenLib.exchange.placing import fit
from OsteoScreenLib.exchange.plate import grey_picture
from OsteoScreenLib.exchange.report_overlap import MEANING, overlap_rows
from OsteoScreenLib.explain.analysis import Analysis, BoneEffect, Covering, RadiographFacts
from OsteoScreenLib.radiograph.radiograph import Radiograph

if TYPE_CHECKING:
    import jinja2

_SIDE_PICTURE = 900
VERDICT_MEANING = (
    "The bone groups, covered one after another, against as many pixels covered elsewhere. It is about this image and this model: a "
    "model that looks at bone can still be wrong, and controls are no picture of a missing bone."
)
_SPACING = {
    "calibrated": "calibrated in the patient",
    "magnification": "corrected for magnification",
    "detector": "at the detector, so lengths in the patient are shorter",
    "file header": "as the file's header says",
}
_FILLS = {
    "mean": "the mean grey of what is not bone",
    "blur": "a strong blur",
    "inpaint": "inpainting from the surroundings",
    "noise": "noise",
    "black": "black",
    "linear": "noisy linear imputation from the surroundings",
    "tokens": "left out of what the model sees, patch by patch; drawn black",
}
_STEPS = {"read": "reading", "gate": "image check", "segment": "bones", "prediction": "prediction", "saliency": "heatmap",
          "covering": "covering", "verdict": "verdict"}  # fmt: skip


def render_report(
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    plate: np.ndarray,
    shown: np.ndarray | None = None,
    seconds: Mapping[str, float] | None = None,
    files: Mapping[str, str] | None = None,
) -> str:
    """The report as HTML text without any outside reference.

    Parameters
    ----------
    plate : uint8 (rows, columns, 3) of `draw_plate`. shown : float32 pixels the model was shown with bones covered, or None.
    seconds : stages before the analysis, shown with its own. files : DICOM objects written beside it, name → what it is.
    """
    return _template().render(
        file=_file_name(analysis),
        banner=banner(analysis.model.simulated_training),
        analysis=analysis,
        answer=answer_words(analysis),
        bars=_bars(analysis),
        rule=_rule(analysis),
        expected=_expected(analysis),
        badges=_badges(analysis.radiograph),
        plate=data_uri(plate),
        bar=None if analysis.saliency is None else data_uri(heat_bar(24, 220)),
        bar_remark="" if analysis.saliency is None else bar_remark(analysis.saliency),
        radiograph=data_uri(_small(radiograph.pixels)),
        covered=None if analysis.covering is None else _covered(analysis.covering, analysis),
        shown=None if shown is None else data_uri(_small(shown)),
        overlap=overlap_rows(analysis),
        overlap_meaning=MEANING,
        verdict_meaning=VERDICT_MEANING,
        groups=_groups(analysis, masks),
        numbering=NUMBERING,
        provenance=_provenance(analysis, masks, seconds or {}),
        files=files or {},
        version=__version__,
    )


def answer_words(analysis: Analysis) -> str:
    """The class decision in words."""
    return {
        "normal": "Normal",
        "osteopenia": "Osteopenia",
        "osteoporosis": "Osteoporosis",
    }[analysis.prediction.decision]


def headline(analysis: Analysis) -> str:
    """The answer in one line, for the overlay."""
    shares = ", ".join(f"{name} {percent(value)}" for name, value in analysis.prediction.probabilities.items())
    return f"{answer_words(analysis)} · {shares}"


def percent(probability: float) -> str:
    """A probability in percent, with enough digits near 0 and 1 that it never reads as certain."""
    shown = 100 * probability
    if 0 < shown < 0.1:
        return "< 0.1 %"
    if 99.9 < shown < 100:
        return "> 99.9 %"
    return f"{shown:.1f} %"


def signed(value: float, digits: int) -> str:
    """A difference with its sign, a true minus, and no minus before a zero."""
    text = f"{value:+.{digits}f}"
    if float(text) == 0:
        return f"{0:.{digits}f}"
    return text.replace("-", "−")


def data_uri(picture: np.ndarray) -> str:
    """A uint8 picture as a data URI: JPEG without chroma subsampling, which keeps thin coloured outlines."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    return template("report.html.j2", percent=percent, signed=signed)


def _file_name(analysis: Analysis) -> str:
    # The name alone: folders tell of the user's machine and often of the patient.
    return PurePath(analysis.radiograph.source.path.replace("\\", "/")).name or "radiograph"


def _small(pixels: np.ndarray) -> np.ndarray:
    size, _ = fit((pixels.shape[0], pixels.shape[1]), _SIDE_PICTURE)
    return grey_picture(pixels, size)


def _bars(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of the probability chart; `mark` is the operating point where the row has one."""
    prediction, points = analysis.prediction, analysis.prediction.operating_points
    marks = {"osteoporosis": points.osteoporosis}
    rows = [{"name": name, "value": value, "mark": marks.get(name)} for name, value in prediction.probabilities.items()]
    rows.append({"name": "osteopenia or worse", "value": prediction.low_bone_mass, "mark": points.low_bone_mass})
    return rows


def _rule(analysis: Analysis) -> str:
    points = analysis.prediction.operating_points
    told = [
        f"{one.point}: sensitivity {percent(one.sensitivity)} of {one.positives}, specificity {percent(one.specificity)} of "
        f"{one.negatives} images"
        for one in analysis.model.performance
    ]
    measured = f" There, on {analysis.model.performance[0].measured_on}, {'; '.join(told)}." if told else ""
    return (
        f"Osteoporosis from {percent(points.osteoporosis)} of osteoporosis on; else osteopenia from "
        f"{percent(points.low_bone_mass)} of osteopenia or worse on; else normal. The vertical marks are these operating points.{measured}"
    )


def _expected(analysis: Analysis) -> str:
    """What the report says of the expected T-score; "" where the model gives none."""
    t_score = analysis.prediction.expected_t_score
    if t_score is None:
        return ""
    return f"Expected T-score {signed(t_score, 1)}: a regression on the image, beside the classes and not the rule for them; no measurement."


def _badges(facts: RadiographFacts) -> list[tuple[str, str]]:
    """(kind, text): what is known, corrected ("changed") and unknown about the image."""
    rows, columns = facts.shape
    badges = [("known", f"{columns} × {rows} pixels"), ("known", facts.source.format or "format unknown")]
    if facts.spacing_mm is None:
        badges.append(("unknown", "pixel spacing unknown"))
    else:
        row, column = facts.spacing_mm
        spacing = f"{row:.3f} mm" if abs(row - column) < 5e-4 else f"{row:.3f} × {column:.3f} mm"
        badges.append(("known", f"pixel spacing {spacing}, {_SPACING.get(facts.spacing_source, facts.spacing_source)}"))
    badges.append(("known", f"view {facts.view} by its tags") if facts.view else ("unknown", "view not named in the file"))
    badges.append(
        ("known", f"body part {facts.site} by its tags") if facts.site else ("unknown", "body part not named in the file")
    )
    placement = facts.placement
    if placement.mirrored:
        badges.append(("changed", "mirrored"))
    if placement.quarter_turns:
        badges.append(("changed", f"turned by {90 * placement.quarter_turns}° counter-clockwise"))
    if placement.inverted:
        badges.append(("changed", "grey values inverted"))
    return badges


def _covered(covering: Covering, analysis: Analysis) -> dict[str, Any]:
    removing = covering.mode == "remove"
    target = analysis.request.target
    margin = "no margin" if covering.margin_px < 1 else f"a margin of {covering.margin_px:.0f} pixels"
    if covering.margin_px >= 1 and covering.margin_mm is not None:
        margin += f" ({covering.margin_mm:.1f} mm)"
    return {
        "covering": covering,
        "intro": _intro(covering, removing),
        "meaning": f"Δ = P({target}, untouched) − P({target}, covered): positive when the bones support the answer '{target}'."
        if removing
        else (
            "Each row shows its bones alone, every other bone covered. "
            f"Δ = P({target}, shown alone) − P({target}, all bones covered): positive when the bones support '{target}'."
        ),
        "mode": "remove" if removing else "add back",
        "fill": f"{covering.fill} ({_FILLS[covering.fill]}), {margin}",
        "rows": [_effect_row(effect) for effect in covering.effects],
        "decision": covering.prediction.decision,
    }


def _intro(covering: Covering, removing: bool) -> str:
    if not covering.covered:
        return "None of the chosen bones was found, so nothing was covered."
    which = ", ".join(covering.covered[:8]) + (f" and {len(covering.covered) - 8} more" if len(covering.covered) > 8 else "")
    kept = "" if removing else ", except where other bones overlap them"
    return f"Covered: {which}{kept}. The model was asked again."


def _effect_row(effect: BoneEffect) -> dict[str, Any]:
    return {
        "kind": effect.of,
        "name": effect.name,
        "probability": effect.probability,
        "points": effect.delta_points,
        "odds": effect.delta_log_odds,
        "area": f"{effect.area_px:,}".replace(",", "\u202f"),
    }


def _groups(analysis: Analysis, masks: BoneMasks) -> list[dict[str, Any]]:
    """Bones by group: those found with colour, area, confidence and remarks, and those not found."""
    found = {bone.name: bone for bone in analysis.bones}
    absent = {bone.name: bone for bone in analysis.absent}
    groups = []
    for group, members in masks.site.groups.items():
        rows = [
            {
                "name": name,
                "colour": "#{:02x}{:02x}{:02x}".format(*masks.site.by_name[name].colour),
                "area": _area(found[name]),
                "confidence": "–" if (share := found[name].confidence) is None else f"{share:.2f}",
                "counted": found[name].numbering_uncertain,
                "implausible": any(mark.implausible for mark in found[name].remarks),
                "remarks": _remarks(found[name].remarks, found[name].edited),
                "sentences": " ".join(mark.text for mark in found[name].remarks),
            }
            for name in members
            if name in found
        ]
        missing = [
            f"{name} ({_remarks(absent[name].remarks)})" if name in absent else name for name in members if name not in found
        ]
        groups.append({"name": group, "found": rows, "missing": missing, "of": len(members)})
    return groups


def _remarks(marks: tuple[Mark, ...], edited: bool = False) -> str:
    words = [SHORT.get(mark.code, mark.code) for mark in marks] + (["edited by hand"] if edited else [])
    return ", ".join(words)


def _area(bone: Any) -> str:
    if bone.area_mm2 is None:
        return f"{bone.area_px:,} px".replace(",", "\u202f")
    return f"{bone.area_mm2 / 100:.1f} cm²"


def _provenance(analysis: Analysis, masks: BoneMasks, seconds: Mapping[str, float]) -> list[tuple[str, str]]:
    model, how = analysis.model, analysis.provenance
    steps = {**seconds, **how.seconds}
    rows = [
        ("Model", f"{model.title} ({model.id})"),
        ("Model's hash", model.sha256),
        ("Bones drawn by", masks.method or "unknown"),
        ("File's hash", analysis.radiograph.source.sha256 or "unknown"),
        ("Device and precision", f"{how.device}, {how.precision}"),
        ("Started", how.started),
        ("Time", ", ".join(f"{_STEPS.get(step, step)} {taken:.2f} s" for step, taken in steps.items())),
        ("Versions", ", ".join(f"{name} {version}" for name, version in how.versions.items())),
    ]
    if analysis.saliency is not None:
        heat = analysis.saliency
        of = f" of the {heat.score}" if heat.is_for_target else ""
        rows.insert(3, ("Heatmap", f"{heat.method}{of}, from {heat.layer}, {_grid(heat.grid.shape)} cells"))
    return rows


def _grid(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"
