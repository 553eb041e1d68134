"""Class activation maps: the network's last features, weighted; the formulas are pytorch-grad-cam's.

Only what lies behind the hooked layer is differentiated: the graph begins at the layer's output. So a frozen encoder is no
obstacle, nothing is written to the weights' gradients, and no pass back through the whole network is paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.devices import running
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.explain.cell_grid import Axis, CellGrid, even_cells
from OsteoScreenLib.explain.hooking import Hook, find_hook
from OsteoScreenLib.explain.network_state import unfused
from OsteoScreenLib.explain.receptive import cell_centres
from OsteoScreenLib.explain.saliency_methods import SaliencyMethod
from OsteoScreenLib.explain.score_cam import FixedBatchScoreCAM
from OsteoScreenLib.explain.target_score import TargetScore

_CAMS: dict[str, Any] = {
    "grad-cam": GradCAM,
    "grad-cam++": GradCAMPlusPlus,
    "hirescam": HiResCAM,
    "layercam": LayerCAM,
    "eigencam": EigenCAM,
}
_WITHOUT_GRADIENTS = ("eigencam", "score-cam")


def draw(
    method: SaliencyMethod,
    classifier: Classifier,
    prepared: torch.Tensor,
    score: TargetScore,
    progress: Callable[[float], None] | None = None,
) -> CellGrid:
    """The signed map of one prepared input (1, channels, rows, columns), as the method gives it, before any scaling."""
    inputs = prepared.to(classifier.device)
    with running(classifier.device, "fp32"):
        hook = find_hook(classifier.network, inputs)
        features, gradients = _read(classifier, hook, inputs, score, method.key not in _WITHOUT_GRADIENTS)
        rows, columns = _centres(classifier, hook, inputs, features.shape[2:])
    # Without target layers the package hooks nothing: it is given what was read here.
    if method.key == "score-cam":
        cam: Any = FixedBatchScoreCAM(classifier, rows, columns, progress)
    else:
        cam = _CAMS[method.key](classifier.network, [])
    # Every formula is unchanged when gradients are divided and features multiplied by one number. It makes the constant that
    # Grad-CAM++ adds to its denominator small beside small gradients, and a power of two rounds nothing.
    unit = _power_of_two(float(np.abs(gradients).max()))
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            values = cam.get_cam_image(inputs, hook.layer, [score], features * unit, gradients / unit, False)[0]
    except np.linalg.LinAlgError:  # features too large for a decomposition
        values = np.full(features.shape[2:], np.nan, np.float32)
    return CellGrid(_upright(values) if method.key == "eigencam" else values, rows, columns, hook.name)


def _read(
    classifier: Classifier, hook: Hook, inputs: torch.Tensor, score: TargetScore, with_gradients: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Features of the hooked layer and the score's gradient by them (ones where it is not wanted).

    Both float32 (1, channels, grid rows, grid columns).
    """
    held: list[torch.Tensor] = []

    def begin_graph(_module: Any, _args: Any, output: torch.Tensor) -> torch.Tensor:
        held.append(output.detach().requires_grad_(True) if with_gradients and not output.requires_grad else output)
        return held[-1]

    handle = hook.layer.register_forward_hook(begin_graph)
    try:
        with torch.set_grad_enabled(with_gradients), unfused(*hook.attention_behind):
            found = score(classifier.network(inputs)[0])
            gradient: torch.Tensor | None = torch.ones_like(held[-1])
            if with_gradients:
                (gradient,) = torch.autograd.grad(found, held[-1], allow_unused=True)
    finally:
        handle.remove()
    if gradient is None:
        raise OsteoScreenError(
            f"The answer does not depend on the layer {hook.name}, which this heatmap reads; choose another saliency method."
        )
    features, gradients = (hook.to_grid(tensor.detach()).float().cpu().numpy() for tensor in (held[-1], gradient))
    return features, gradients


def _centres(classifier: Classifier, hook: Hook, inputs: torch.Tensor, cells: tuple[int, ...]) -> tuple[Axis, Axis]:
    """Where the cells are centred on the network's input: (rows, columns)."""
    if hook.even_cells:
        return even_cells(inputs.shape[2], cells[0]), even_cells(inputs.shape[3], cells[1])
    return cell_centres(classifier.network, hook.layer, inputs)


def _upright(projection: np.ndarray) -> np.ndarray:
    """A principal component's sign is arbitrary: the side that reaches farther from the mean counts as positive."""
    return -projection if -projection.min() > projection.max() else projection


def _power_of_two(size: float) -> float:
    return float(2.0 ** np.floor(np.log2(size))) if 0 < size < np.inf else 1.0
