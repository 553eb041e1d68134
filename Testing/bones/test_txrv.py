"""TorchXRayVision's segmenter loads from its own weights file and draws bones in the vocabulary's terms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.txrv import WEIGHTS_NAME, TorchXRayVisionSegmenter
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Radiograph


class Column:
    """A segmenter that draws one vertebra everywhere and a clavicle in the upper half."""

    name = "column"

    def segment(self, radiograph: Radiograph) -> BoneMasks:
        everywhere = np.ones(radiograph.shape, bool)
        upper = everywhere.copy()
        upper[radiograph.shape[0] // 2 :] = False
        return BoneMasks.pack({"T5": everywhere, "left clavicle": upper}, radiograph.shape, method=self.name)


def test_missing_and_damaged_weights_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"weights .* are not in"):
        TorchXRayVisionSegmenter(tmp_path)
    (tmp_path / WEIGHTS_NAME).write_bytes(b"not weights")
    with pytest.raises(InputError, match="damaged or of another model"):
        TorchXRayVisionSegmenter(tmp_path)


def test_weights_in_the_published_format_load_and_draw(tmp_path: Path) -> None:
    """A randomly initialised PSPNet saved as TorchXRayVision publishes it, its last layer set so that outputs are known."""
    import torch
    from torchxrayvision.baseline_models.chestx_det import PSPNet
    from torchxrayvision.baseline_models.chestx_det.ptsemseg.pspnet import pspnet

    torch.manual_seed(0)
    network = pspnet(len(PSPNet.targets))
    last = network.classification
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, -9.0)
    for target in ("Left Clavicle", "Right Clavicle", "Spine"):
        last.bias.data[PSPNet.targets.index(target)] = 9.0
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, tmp_path / WEIGHTS_NAME)

    masks = TorchXRayVisionSegmenter(tmp_path, others=Column()).segment(Radiograph(np.full((300, 200), 0.5, np.float32)))
    assert masks.shape == (300, 200)
    assert set(masks.names) == {"T5", "left clavicle", "right clavicle"}
    assert masks.mask("left clavicle").all()
    assert masks.method == "torchxrayvision-pspnet + column"
