"""From a request to an upright radiograph and its bones: reading, the gate, and the masks. Shared by everything that analyses."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.libraries import Libraries
from OsteoScreenLib.worker.models import Ahead, Models
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import ReadingOptions, path_in
from OsteoScreenLib.worker.server import Progress

if TYPE_CHECKING:
    import numpy as np

    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.bones.vocabulary import Site
    from OsteoScreenLib.radiograph.radiograph import Radiograph

VOLUME = "volume"  # the array of a request whose image is not a file


class Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The time since the last lap was `stage`."""
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 4)
        self._last = now

    def restart(self) -> None:
        """The time since the last lap belongs to no stage."""
        self._last = time.perf_counter()


class Intake:
    """Takes radiographs in with one set of warm models.

    libraries : torch and what comes with it, imported before they are needed and waited for where they are.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self.libraries = Libraries()
        self._ahead: Ahead | None = None

    def read(self, request: Message, options: ReadingOptions) -> tuple[Radiograph, float]:
        """The image of a request as its header says it lies, and the seconds that reading it took. Needs no torch.

        The image is the file `path`, or the array `volume` with `spacing_mm`, `header_path` and `name`.
        Reading may have been begun by `read_ahead` and spent its time while something else ran.
        """
        if VOLUME in request.arrays:
            ahead = Ahead(None, _volume_reader(request, options))
        else:
            path = path_in(request.body, "path")
            begun, self._ahead = self._ahead, None
            same = begun is not None and begun.key == _reading_key(path, options)
            ahead = begun if same and begun is not None else Ahead(_reading_key(path, options), _file_reader(path, options))
        radiograph: Radiograph = ahead.result()
        return radiograph, round(ahead.seconds, 4)

    def read_ahead(self, request: Message, name: str, options: ReadingOptions) -> None:
        """Begin to read the image whose path the request gives as `name`, if it gives one."""
        if request.body.get(name):
            path = path_in(request.body, name)
            self._ahead = Ahead(_reading_key(path, options), _file_reader(path, options))

    def read_and_draw(
        self, request: Message, options: ReadingOptions, site: Site, progress: Progress, clock: Clock
    ) -> tuple[Radiograph, BoneMasks]:
        """The upright radiograph of a body site and its bones; refuses every other image."""
        from OsteoScreenLib.bones.gate import lay_upright

        self.libraries.begin()
        progress("read", 0.05, "Reading the image")
        radiograph, clock.seconds["read"] = self.read(request, options)
        clock.restart()
        if not self.libraries.ready:
            progress("read", 0.1, "Loading the libraries of the analysis")
        self.libraries.wait()
        clock.lap("wait")
        progress("gate", 0.15, "Checking the image")
        radiograph = lay_upright(
            radiograph,
            self._models.gate(site),
            site,
            keep_orientation=options.rotate is not None or options.flip is not None,
            keep_polarity=options.invert is not None,
        )
        clock.lap("gate")
        progress("segment", 0.25, "Drawing the bones")
        masks = self._bones(radiograph, options, site)
        clock.lap("segment")
        return radiograph, masks

    def _bones(self, radiograph: Radiograph, options: ReadingOptions, site: Site) -> BoneMasks:
        if options.masks:
            from OsteoScreenLib.exchange.dicom.masks_file import read_masks

            return read_masks(Path(options.masks), radiograph, site)
        return self._models.segmenter(options.segmenter, options.device, site).segment(radiograph)


def _reading_key(path: Path, options: ReadingOptions) -> tuple[Any, ...]:
    return path, options.rotate, options.flip, options.invert


def _file_reader(path: Path, options: ReadingOptions) -> Callable[[], Radiograph]:
    def read() -> Radiograph:
        from OsteoScreenLib.radiograph.read import read_radiograph

        return read_radiograph(path, rotate=options.rotate, flip=options.flip, invert=options.invert)

    return read


def _volume_reader(request: Message, options: ReadingOptions) -> Callable[[], Radiograph]:
    array: np.ndarray = request.arrays[VOLUME]
    spacing = request.body.get("spacing_mm")
    if spacing is not None and (len(spacing) != 2 or not all(isinstance(value, int | float) for value in spacing)):
        raise InputError("The spacing of a volume is two numbers, of rows and of columns.", code="option")

    def read() -> Radiograph:
        from OsteoScreenLib.radiograph.read import radiograph_from_volume

        return radiograph_from_volume(
            array,
            None if spacing is None else (float(spacing[0]), float(spacing[1])),
            str(request.body.get("header_path") or ""),
            name=str(request.body.get("name") or "The volume"),
            rotate=options.rotate,
            flip=options.flip,
            invert=options.invert,
        )

    return read
