"""What the model would be shown with bones covered, for a case whose answers are known already. No model, and no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.case_values import masks_from_values
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions, options_from
from OsteoScreenLib.worker.server import Answer, Progress

if TYPE_CHECKING:
    from OsteoScreenLib.explain.covering import Coverer


class Showing:
    """Answers `show`. What is prepared for covering stays for the next question about the same picture."""

    def __init__(self) -> None:
        self._held: tuple[tuple[Any, ...], Coverer] | None = None

    def show(self, request: Message, progress: Progress) -> Answer:
        """Body: `image_sha256`, `masks_sha256`, `bones`, `covered` (names), `mode`, `fill`, `margin_px`, `seed`; arrays `pixels`, `layers`.

        Answers the array `patch`, float32: the pixels inside `box` (first row, end row, first column, end column) as the model
        sees them. The fill "linear" alone needs torch.
        """
        options = options_from(AnalysisOptions, request.body)
        covered = request.body.get("covered")
        if not isinstance(covered, list):
            raise InputError("The request names no bones to cover.", code="option")
        coverer = self._coverer(request, options)
        region = coverer.region(map(str, covered), options.mode)  # type: ignore[arg-type]
        rows, columns = region.box
        patch = coverer.cover_region(region)[region.box].copy()
        return Answer({"box": [rows.start, rows.stop, columns.start, columns.stop]}, {"patch": patch})

    def _coverer(self, request: Message, options: AnalysisOptions) -> Coverer:
        from OsteoScreenLib.explain.covering import Coverer

        key = (
            request.body.get("image_sha256"),
            request.body.get("masks_sha256"),
            options.fill,
            options.margin_px,
            options.seed,
        )
        if self._held is None or self._held[0] != key:
            pixels, layers = (request.arrays.get(name) for name in ("pixels", "layers"))
            if pixels is None or layers is None:
                raise InputError("What the model is shown needs the pixels and the bone masks.", code="held-case")
            masks = masks_from_values(request.body.get("bones", {}), layers)
            way = options.mode, options.fill, options.margin_px, options.seed
            self._held = key, Coverer(pixels, masks, *way)  # type: ignore[arg-type]
        return self._held[1]
