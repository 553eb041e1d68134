"""Grad-CAM (Selvaraju et al. 2017) through pytorch-grad-cam, hooked where each kind of network can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.devices import running
from OsteoScreenLib.classifier.prediction import TARGETS, members_of
from OsteoScreenLib.classifier.preprocess import InputGeometry
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.hooking import Hook, find_hook
from OsteoScreenLib.explain.receptive import cell_centres
from OsteoScreenLib.explain.saliency import SaliencyMap

if TYPE_CHECKING:
    import torch

METHOD = "Grad-CAM"
SCORE = "log-odds of the target's probability"


def grad_cam(classifier: Classifier, pixels: np.ndarray, target: str = "osteoporosis") -> SaliencyMap:
    """Where the classifier looked for `target`.

    The score is the log-odds of the target's probability (the classes that the target adds up against the others). Its
    gradient points where the probability's does, but does not vanish when the probability is near 0 or 1.
    Computed in full precision, on the classifier's device.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1]. target : one of `TARGETS`.

    Raises
    ------
    InputError
        When the target is not one of `TARGETS`.
    """
    if target not in TARGETS:
        raise InputError(f"There is no target called '{target}'; choose one of {', '.join(TARGETS)}.", code="target")
    prepared = classifier.preprocess(pixels[None])
    hook = classifier.with_cpu_fallback(lambda: find_hook(classifier.network, prepared.to(classifier.device)))
    grid = classifier.with_cpu_fallback(lambda: _raw_map(classifier, hook, prepared, target))
    centres = classifier.with_cpu_fallback(lambda: _centres(classifier, hook, prepared, grid.shape))
    shape = (pixels.shape[0], pixels.shape[1])
    input_to_radiograph = InputGeometry.of(classifier.model.preprocessing, shape).input_to_radiograph
    (row_start, row_step), (column_start, column_step) = centres
    grid_to_input = np.array([[column_step, 0.0, column_start], [0.0, row_step, row_start], [0.0, 0.0, 1.0]])
    return SaliencyMap(
        grid=grid,
        grid_to_radiograph=input_to_radiograph @ grid_to_input,
        radiograph_shape=shape,
        input_to_radiograph=input_to_radiograph,
        input_shape=(prepared.shape[2], prepared.shape[3]),
        target=target,
        score=SCORE,
        method=METHOD,
        layer=hook.name,
    )


def _raw_map(classifier: Classifier, hook: Hook, prepared: torch.Tensor, target: str) -> np.ndarray:
    """Non-negative float32 (grid rows, grid columns), before any scaling."""
    import torch

    # Imported here: the package also brings scikit-learn and matplotlib and is slow to import.
    from pytorch_grad_cam import GradCAM

    wanted = list(members_of(target))
    others = [index for index in range(3) if index not in wanted]
    temperature = classifier.model.temperature

    def score(logits: torch.Tensor) -> torch.Tensor:
        scaled = logits / temperature
        return torch.logsumexp(scaled[wanted], 0) - torch.logsumexp(scaled[others], 0)

    cam: Any = GradCAM(model=classifier.network, target_layers=[hook.layer], reshape_transform=hook.to_grid)
    try:
        # The input requires a gradient, because with a frozen encoder nothing else does and the hooks would find none.
        inputs = prepared.to(classifier.device).requires_grad_(True)
        with torch.enable_grad(), running(classifier.device, "fp32"):
            cam(inputs, targets=[score])
        held = cam.activations_and_grads
        if not held.activations or not held.gradients:
            raise OsteoScreenError(f"Grad-CAM got no gradient from the layer {hook.name}; switch the heatmap off.")
        activations, gradients = held.activations[0].float().numpy(), held.gradients[0].float().numpy()
        # The package scales its result between 0 and 1; this is its map before that.
        raw = cam.get_cam_image(inputs, hook.layer, [score], activations, gradients)[0]
    finally:
        cam.activations_and_grads.release()
    grid = np.maximum(np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0), 0)
    return np.ascontiguousarray(grid, dtype=np.float32)


def _centres(
    classifier: Classifier, hook: Hook, prepared: torch.Tensor, cells: tuple[int, ...]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """((row start, row step), (column start, column step)) of the grid's cell centres on the network's input."""
    if not hook.is_transformer:
        return cell_centres(classifier.network, hook.layer, prepared.to(classifier.device))
    # Patches tile the input: half a patch to the first centre.
    size: Any = classifier.network.patch_embed.patch_size  # type: ignore[union-attr]
    return ((size[0] - 1) / 2, float(size[0])), ((size[1] - 1) / 2, float(size[1]))
