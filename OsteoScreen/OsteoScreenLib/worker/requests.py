"""What a client may ask for, checked: plain JSON in, typed options out."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from OsteoScreenLib.errors import InputError, OsteoScreenError

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.explain.analysis import AnalysisRequest

NO_SALIENCY = "none"  # in place of a saliency method: no heatmap

_Options = TypeVar("_Options", bound="ReadingOptions")


@dataclass(frozen=True)
class ReadingOptions:
    """How an image is read and its bones are drawn; shared by `load`, `segment` and `analyse`.

    rotate : 0, 90, 180 or 270 degrees counter-clockwise, None to ask the image. flip : "none", "horizontal", "vertical" or
    None. invert : True, False or None to ask the image. segmenter : "embedded" or "torchxrayvision".
    """

    device: str = "auto"
    segmenter: str = "embedded"
    rotate: int | None = None
    flip: str | None = None
    invert: bool | None = None
    masks: str | None = None


@dataclass(frozen=True)
class SegmentOptions(ReadingOptions):
    """Which bones are drawn where no classifier says it. site : a body site's name."""

    site: str = "chest-frontal"


@dataclass(frozen=True)
class AnalysisOptions(ReadingOptions):
    """What is computed. model : a classifier's id or folder. saliency : a saliency method's key, "auto" or "none". verdict : is it bone?
    dicom : whether DICOM objects are written beside the other results. objects : names of those that are written alone instead.
    reads : folder of a reader study whose locked read of the image goes into the structured report, reader : whose, "" for the only one.
    text : what becomes of text in the pictures, "keep", "mask" or "refuse" (`exchange.privacy.pictures`).

    The rest as `explain` defines it.
    """

    model: str = "chest-sim-classifier"
    precision: str = "auto"
    cover: tuple[str, ...] = ()
    mode: str = "remove"
    fill: str = "mean"
    margin_px: float = 0.0
    margin_mm: float | None = None
    target: str = "osteoporosis"
    seed: int = 0
    saliency: str = "auto"
    verdict: bool = False
    dicom: bool = False
    objects: tuple[str, ...] = ()
    text: str = "keep"
    reads: str | None = None
    reader: str = ""


def options_from(kind: type[_Options], body: Mapping[str, Any]) -> _Options:
    """The options of one request; entries that belong to the request itself (path, out, …) are left alone.

    Raises `InputError` naming the option whose type is wrong.
    """
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for option in fields(kind):
        if option.name not in body:
            continue
        value = body[option.name]
        hint = hints[option.name]
        allowed = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = tuple(value)
        if isinstance(value, int) and not isinstance(value, bool) and float in allowed:
            value = float(value)
        if not any(type(value) is (tuple if "tuple" in str(accepted) else accepted) for accepted in allowed):
            raise InputError(f"The option '{option.name}' cannot be {value!r}.", code="option")
        values[option.name] = value
    return kind(**values)


def analysis_request(options: AnalysisOptions) -> AnalysisRequest:
    """The request that `explain` takes. A wrong word is refused there, in one sentence."""
    from OsteoScreenLib.explain.analysis import AnalysisRequest

    return AnalysisRequest(
        target=options.target,
        cover=options.cover,
        mode=options.mode,  # type: ignore[arg-type]
        fill=options.fill,  # type: ignore[arg-type]
        dilation_px=options.margin_px,
        dilation_mm=options.margin_mm,
        seed=options.seed,
        saliency=options.saliency != NO_SALIENCY,
        saliency_method=options.saliency,
        verdict=options.verdict,
    )


def check_saliency(options: AnalysisOptions, classifier: Classifier) -> None:
    """Raises `InputError` for a saliency method that there is not, or that the model cannot give."""
    from OsteoScreenLib.explain.saliency_methods import method_for

    if options.saliency != NO_SALIENCY:
        method_for(options.saliency, classifier.network)


def path_in(body: Mapping[str, Any], name: str) -> Path:
    """A path that a request must name."""
    value = body.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise InputError(f"The request names no usable {name}.", code="option")
    return Path(value)


def tables_in(body: Mapping[str, Any]) -> dict[str, str]:
    """File name → text of the tables that are to lie beside the result files; names alone, of .csv and .json."""
    tables = body.get("tables", {})
    fit = isinstance(tables, dict) and all(
        isinstance(text, str) and Path(name).name == name and Path(name).suffix in {".csv", ".json"}
        for name, text in tables.items()
    )
    if not fit:
        raise InputError("The tables to save are not texts under plain file names.", code="option")
    return dict(tables)


def prepare_folder(folder: Path) -> None:
    """Make a result folder and see that it can be written.

    Raises `InputError` in one sentence when it cannot, `OsteoScreenError` when the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{folder} is a file; name a folder with --out.", code="out") from error
    except OSError as error:
        sentence = f"The folder {folder} cannot be made ({error.strerror or error}); choose another one with --out."
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise OsteoScreenError(sentence) from error
        raise InputError(sentence, code="out") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"The folder {folder} cannot be written; choose another one with --out.", code="out")
