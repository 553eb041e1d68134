"""The models the process holds: loaded once, kept warm, and the slow imports begun before they are needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.bundle import open_bundle
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker import model_folders

if TYPE_CHECKING:
    from OsteoScreenLib.bones.gate import Gate
    from OsteoScreenLib.bones.segmenter import Segmenter
    from OsteoScreenLib.classifier.classifier import Classifier

Thing = TypeVar("Thing")


class Models:
    """Gate, segmenter and classifier, each loaded at its first use. One classifier at a time is held."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], Any] = {}

    def gate(self, site: Site) -> Gate | None:
        """The site's gate, on the processor: it is small, and a transfer would take longer than its answer. None where there is none."""
        from OsteoScreenLib.bones.gate import Gate

        folder = model_folders.made_for(site, "gate")
        return (
            None if folder is None else self._keep(("gate", site.name), lambda: Gate.from_bundle(open_bundle(folder, "gate")))
        )

    def segmenter(self, choice: str, device: str, site: Site) -> Segmenter:
        """The chosen segmenter. TorchXRayVision is asked for what it knows and the embedded one for the other bones.

        Raises `InputError` where there is none for the site.
        """
        if choice == "embedded":
            return self._embedded_segmenter(device, site)
        if choice == "torchxrayvision":
            if site != CHEST_FRONTAL:
                raise InputError(f"TorchXRayVision draws no bones of a {site.image}; choose embedded.", code="segmenter")
            return self._keep(("segmenter", choice, device), lambda: self._torchxrayvision(device))
        raise InputError(f"There is no segmenter '{choice}'; choose embedded or torchxrayvision.", code="segmenter")

    def check(self, model: str) -> None:
        """Find and verify a classifier's bundle without loading it. Raises `InputError` in one sentence."""
        open_bundle(model_folders.find_model(model, "classifier"), "classifier")

    def classifier(self, model: str, device: str, precision: str) -> Classifier:
        """The classifier of a bundle, verified when it is loaded."""
        from OsteoScreenLib.classifier.classifier import Classifier

        folder = model_folders.find_model(model, "classifier")
        key = ("classifier", str(folder.resolve()), device, precision)
        others = [other for other in self._held if other[0] == "classifier"]
        for other in others:
            held: Classifier = self._held[other]
            # Asked for by the names of what "auto" had chosen, it is the same one.
            if other == key or (other[1] == key[1] and (held.device.type, held.precision) == (device, precision)):
                return held
            del held
        bundle = open_bundle(folder, "classifier")
        for other in others:
            del self._held[other]
        self._held[key] = loaded = Classifier.load(bundle, device=device, precision=precision)
        return loaded

    def _embedded_segmenter(self, device: str, site: Site) -> Segmenter:
        from OsteoScreenLib.bones.embedded import EmbeddedSegmenter

        folder = model_folders.made_for(site, "segmenter")
        if folder is None:
            raise InputError(
                f"There is no segmenter for a {site.image}; add one with 'osteoscreen models add', or give bone masks with --masks.",
                code="segmenter-missing",
            )
        return self._keep(
            ("segmenter", "embedded", device, site.name),
            lambda: EmbeddedSegmenter.from_bundle(open_bundle(folder, "segmenter"), device=torch_device(device)),
        )

    def _torchxrayvision(self, device: str) -> Segmenter:
        from OsteoScreenLib.bones.txrv import TorchXRayVisionSegmenter

        return TorchXRayVisionSegmenter(others=self._embedded_segmenter(device, CHEST_FRONTAL), device=torch_device(device))

    def _keep(self, key: tuple[str, ...], make: Callable[[], Thing]) -> Thing:
        if key not in self._held:
            self._held[key] = make()
        held: Thing = self._held[key]
        return held


def torch_device(device: str) -> str:
    """ "auto" and the names of devices → what torch calls the device to use here."""
    from OsteoScreenLib.classifier.devices import choose_device

    return str(choose_device(device))


class Ahead:
    """Something started on a thread before it is needed, for example reading the next image while networks run.

    seconds : how long it took, once it is done.
    """

    def __init__(self, key: Any, work: Callable[[], Any]) -> None:
        self.key = key
        self._work = work
        self._value: Any = None
        self.seconds = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._do, name="ahead", daemon=True)
        self._thread.start()

    def _do(self) -> None:
        began = time.perf_counter()
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        self.seconds = time.perf_counter() - began

    @property
    def done(self) -> bool:
        """It has ended, well or badly."""
        return not self._thread.is_alive()

    def result(self) -> Any:
        """Wait for it; what it raised is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value
