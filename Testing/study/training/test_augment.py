"""Changed images: the same for the same seed, whatever else is in the batch; bars stay black; nothing is mirrored unasked."""

from __future__ import annotations

import numpy as np
import torch

from OsteoScreenLib.study.training.augment import Augmentation

NOTHING = Augmentation(degrees=0, scale=0, shift=0, gamma=0, contrast=0, gain=0, noise=0)


def pictures(count: int = 3, rows: int = 40, columns: int = 32) -> torch.Tensor:
    torch.manual_seed(0)
    coarse = torch.rand(count, 1, 6, 6)
    return torch.nn.functional.interpolate(coarse, (rows, columns), mode="bilinear") * 0.8 + 0.1


def test_an_image_changes_the_same_in_any_batch() -> None:
    images, augmentation = pictures(), Augmentation()
    together = augmentation.apply(images, augmentation.draw(5, 2, np.array([7, 8, 9])))
    alone = augmentation.apply(images[1:2], augmentation.draw(5, 2, np.array([8])))
    assert torch.equal(together[1:2], alone)
    for seed, epoch, number in ((6, 2, 8), (5, 3, 8), (5, 2, 9)):
        other = augmentation.apply(images[1:2], augmentation.draw(seed, epoch, np.array([number])))
        assert (other - alone).abs().mean() > 0.005
    assert together.min() >= 0 and together.max() <= 1


def test_nothing_asked_nothing_changed() -> None:
    images = pictures()
    assert torch.allclose(NOTHING.apply(images, NOTHING.draw(0, 0, np.arange(3))), images, atol=1e-5)


def test_mirrored_only_when_asked_and_then_half_of_the_time() -> None:
    images = pictures(40)
    flipping = Augmentation(**{**vars(NOTHING), "flip": True})
    drawn = flipping.draw(0, 0, np.arange(40))
    changed = flipping.apply(images, drawn)
    mirrored = [bool(torch.allclose(one, other.flip(-1), atol=1e-4)) for one, other in zip(changed, images, strict=True)]
    same = [bool(torch.allclose(one, other, atol=1e-4)) for one, other in zip(changed, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 10 < sum(mirrored) < 30
    assert torch.allclose(NOTHING.apply(images, drawn), images, atol=1e-5)


def test_turns_keep_angles_on_inputs_that_are_not_square() -> None:
    """A horizontal line turned by 7 degrees climbs by tan(7°) pixels a pixel, whatever the aspect."""
    images = torch.zeros(1, 1, 60, 120)
    images[:, :, 29:31] = 1
    drawn = np.full((1, 9), 0.5)
    drawn[0, 0] = 1.0
    turned = Augmentation(**{**vars(NOTHING), "degrees": 7.0}).apply(images, drawn)[0, 0]
    heights = (turned * torch.arange(60.0)[:, None]).sum(0) / turned.sum(0).clamp(min=1e-6)
    slope = (heights[90] - heights[30]) / 60
    assert abs(abs(float(slope)) - np.tan(np.deg2rad(7))) < 0.01


def test_tone_keeps_black_bars_black_and_white_white() -> None:
    images = torch.cat([torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)], dim=-1)
    toning = Augmentation(degrees=0, scale=0, shift=0, noise=0, gain=0)
    changed = toning.apply(images.repeat(20, 1, 1, 1), toning.draw(1, 1, np.arange(20)))
    assert (changed[..., :7].abs() < 1e-5).all() and (changed[..., 9:] > 1 - 1e-5).all()
