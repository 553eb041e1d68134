"""The classifier: radiographs in, probabilities out, the same on any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.classifier.devices import (
    Precision,
    batch_size,
    choose_device,
    choose_precision,
    is_out_of_memory,
    placed_on,
    release_memory,
    running,
)
from OsteoScreenLib.classifier.domain import Domain, DomainCheck
from OsteoScreenLib.classifier.full_head import full_head
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.classifier.network import load_network
from OsteoScreenLib.classifier.observing import observing
from OsteoScreenLib.classifier.prediction import CLASSES, Prediction, decide
from OsteoScreenLib.classifier.preparer import Preparer
from OsteoScreenLib.classifier.preprocess import prepare
from OsteoScreenLib.classifier.t_score import TScoreHead
from OsteoScreenLib.classifier.tokens import PatchGrid, leaving_out, patch_grid
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.radiograph.radiograph import Note, Severity

if TYPE_CHECKING:
    import torch
    from torch import nn

Result = TypeVar("Result")

# The same image alone and inside any stream agree within this, in probability (tested).
BATCH_BOUND = 1e-5
# Half precision is used only if the reference images' probabilities stay within this of fp32: half a percentage point.
PRECISION_BOUND = 5e-3


class Classifier:
    """A loaded model bundle. Not for several threads at once.

    model : the bundle. network : the timm network, in evaluation mode, adapters merged, weights in fp32.
    device, precision : where and how predictions run. domain_check, t_score_head : the bundle's, None where it brings none.
    notes : what happened on the way (a fallback), for the reader.
    """

    def __init__(self, model: ModelBundle, network: nn.Module, device: torch.device, precision: Precision = "fp32") -> None:
        self.model = model
        self.network = network
        self.device = device
        self.precision: Precision = precision
        self._wanted: Precision = precision
        self.notes: tuple[Note, ...] = ()
        self.domain_check = DomainCheck.from_bundle(model.bundle)
        self.t_score_head = TScoreHead.from_bundle(model.bundle)
        self._prepared = Preparer(model.preprocessing)

    @classmethod
    def load(
        cls, bundle: Bundle | ModelBundle, device: str = "auto", precision: str = "auto", *, bases: Path | None = None
    ) -> Classifier:
        """Load a bundle onto a device.

        Parameters
        ----------
        device : "auto", "cpu", "cuda" or "mps". precision : "auto", "fp32", "bf16" or "fp16"; half precision is checked
            against fp32 on reference images and given up, with a note, where it differs by more than `PRECISION_BOUND`.
        bases : folder with base weights, needed only by bundles that hold adapters alone.

        Raises
        ------
        InputError
            One sentence when the bundle, the device or the precision is wrong.
        """
        model = bundle if isinstance(bundle, ModelBundle) else ModelBundle.from_bundle(bundle)
        chosen = choose_device(device)
        network = load_network(model, bases)
        classifier = cls(model, network, chosen, choose_precision(chosen, precision))
        classifier.with_cpu_fallback(lambda: placed_on(classifier.network, classifier.device))
        if classifier.precision != "fp32":
            classifier._check_precision(classifier._reference_inputs(), PRECISION_BOUND)
        # A network that fails on any of those is not asked in half precision again.
        classifier._wanted = classifier.precision
        return classifier

    def preprocess(self, pixels: np.ndarray) -> torch.Tensor:
        """Radiographs float32 (n, rows, columns) in [0, 1] → network input (n, channels, rows, columns) on the CPU."""
        return prepare(pixels, self.model.preprocessing)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities float64 (n, 3), in the order of `CLASSES`, of radiographs float32 (n, rows, columns) in [0, 1]."""
        if images.ndim != 3:
            raise ValueError(f"images must be (n, rows, columns), got {images.shape}")
        return np.stack(list(self.predict_stream(images))) if len(images) else np.zeros((0, len(CLASSES)))

    def predict_stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Class probabilities (3,) for each radiograph (rows, columns), as they come.

        Only the small network inputs of one batch are held, so a long sweep over large radiographs needs little memory. Where
        radiographs resemble one another, only the rows that differ are resized anew, to the bit the same.
        """
        source = iter(images)
        while inputs := [self._prepared(image) for image in islice(source, batch_size(self.device))]:
            yield from self.probabilities_of(inputs)

    @cached_property
    def patches(self) -> PatchGrid:
        """The patches that `predict_without` can leave out. Raises `InputError` when the network has none (a ConvNet)."""
        return patch_grid(self.network, self.model.preprocessing, self.model.id)

    def predict_without(self, pixels: np.ndarray, dropped: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Class probabilities (3,) of one radiograph (rows, columns) without some of its patches, for each choice of patches.

        dropped : bool arrays of the shape of `patches`, True where a patch's token is left out (see `tokens`). Each is a forward
        pass of its own, on any device, because sequences of different lengths do not fit into one batch.
        Raises `InputError` for a network without patches, and when every patch is left out.
        """
        inputs = [self._prepared(pixels)]
        shape = self.patches.shape
        for one in dropped:
            if one.shape != shape:
                raise ValueError(f"dropped must be {shape}, got {one.shape}")
            with leaving_out(self.network, one):
                answer = self.probabilities_of(inputs, together=1)[0]
            yield answer

    def probabilities_of(self, inputs: list[torch.Tensor], together: int | None = None) -> np.ndarray:
        """Class probabilities (n, 3) of prepared inputs, each (1, channels, rows, columns) on the CPU.

        together : images per forward pass; the device's fixed number by default.
        """
        import torch

        logits = self.with_cpu_fallback(lambda: self._logits(inputs, together))
        # In double precision, so that differences between variants are those of the network and not of the softmax.
        probabilities: np.ndarray = torch.softmax(logits.double() / self.model.temperature, dim=1).numpy()
        if not np.isfinite(probabilities).all():
            remedy = (
                "its weights do not suit this image; get the bundle again or choose another model"
                if self.precision == "fp32"
                else "load it with precision fp32"
            )
            raise OsteoScreenError(f"The model {self.model.id} gave no finite probability in {self.precision}; {remedy}.")
        return probabilities

    def decide(self, probabilities: np.ndarray) -> Prediction:
        """The ordinal decision for one image's probabilities (3,)."""
        return decide(probabilities, self.model.operating_points)

    def domain(self, pixels: np.ndarray) -> Domain | None:
        """Where a radiograph (rows, columns) lies among the training images; None when the bundle brings no input check."""
        return None if self.domain_check is None else self.answer(pixels).domain

    def answer(self, pixels: np.ndarray) -> Prediction:
        """All that the bundle can tell of an untouched radiograph (rows, columns), from one forward pass.

        Raises `InputError` when the bundle's input check, or its T-score, does not fit the network.
        """
        with observing(self) as look:
            (seen,) = look([self._prepared(pixels)])
        return replace(
            self.decide(seen.probabilities[0]),
            domain=seen.domains[0] if seen.domains else None,
            expected_t_score=float(seen.expected_t[0]) if len(seen.expected_t) else None,
        )

    def with_cpu_fallback(self, work: Callable[[], Result]) -> Result:
        """Do `work`; when the device runs out of memory, move to the processor, note it, and do the work again there."""
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler: the error's traceback would keep the failed pass's tensors alive on the device.
        self._move_to_processor()
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise OsteoScreenError(
                "This machine has too little memory for this model; close other programs or choose a smaller model."
            ) from error

    def _logits(self, inputs: list[torch.Tensor], together: int | None = None) -> torch.Tensor:
        """float32 (n, 3) on the CPU; every forward pass has the device's fixed batch shape, or that of `together` images."""
        import torch

        size = together or batch_size(self.device)
        parts = []
        head = nullcontext() if self.precision == "fp32" else full_head(self.network, self.device.type)
        with torch.inference_mode(), running(self.device, self.precision), head:
            for start in range(0, len(inputs), size):
                batch = inputs[start : start + size]
                filled = torch.cat(batch + [batch[0]] * (size - len(batch)))
                parts.append(self.network(filled.to(self.device))[: len(batch)].float().cpu())
        return torch.cat(parts)

    def _move_to_processor(self) -> None:
        import torch

        where = {"cuda": "The GPU", "mps": "The Apple GPU"}.get(self.device.type, "The device")
        self.device = torch.device("cpu")
        self.precision = self._wanted = "fp32"
        placed_on(self.network, self.device)
        release_memory()
        self._note(
            "out-of-memory", "warning", f"{where} ran out of memory, so the model went on with the processor, which is slower."
        )

    def settle_precision(self, images: Iterable[np.ndarray]) -> None:
        """Choose the precision for one case: the one that was asked for, or full precision with a note where the two give one of
        these radiographs (rows, columns) probabilities that differ by more than half of `PRECISION_BOUND`.

        Every number of a case is then made in one precision. Call it before the first, with the untouched radiograph and with one
        that has every bone covered. They are a sample of what the case will ask: what lies between them may differ more, so only
        half of the bound is granted.
        """
        if self._wanted == "fp32":
            return
        self.notes = tuple(note for note in self.notes if note.code != "precision")
        self.precision = self._wanted
        self._check_precision([self.preprocess(image[None]) for image in images], PRECISION_BOUND / 2)

    def _check_precision(self, inputs: list[torch.Tensor], bound: float) -> None:
        import torch

        half = self.with_cpu_fallback(lambda: self._logits(inputs))
        wanted = self.precision
        if wanted == "fp32":
            return
        self.precision = "fp32"
        full = self.with_cpu_fallback(lambda: self._logits(inputs))
        temperature = self.model.temperature
        gap = (torch.softmax(half.double() / temperature, 1) - torch.softmax(full.double() / temperature, 1)).abs().max().item()
        if gap <= bound:  # False for NaN, too
            self.precision = wanted
        else:
            self._note(
                "precision",
                "info",  # slower, and no less right
                f"In {wanted} this model's probabilities differ from full precision by more than "
                f"{100 * bound:g} percentage points, so full precision is used.",
            )

    def _reference_inputs(self) -> list[torch.Tensor]:
        """Three inputs with the contrast of radiographs: a ramp, smooth noise, and fine noise, always the same."""
        spec = self.model.preprocessing
        rows, columns = spec.rows, spec.columns
        random = np.random.default_rng(20250707)
        ramp = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
        coarse = random.random((-(-rows // 16), -(-columns // 16)), dtype=np.float32)
        smooth = np.kron(coarse, np.ones((16, 16), np.float32))[:rows, :columns]
        fine = random.random((rows, columns), dtype=np.float32)
        return [self.preprocess(np.ascontiguousarray(image)[None]) for image in (ramp, smooth, fine)]

    def _note(self, code: str, severity: Severity, text: str) -> None:
        self.notes = (*self.notes, Note(code, severity, text))
