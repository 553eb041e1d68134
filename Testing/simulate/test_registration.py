"""A labelled thorax carried onto one without labels: a bend that is known is found again, and everything arrives."""

from __future__ import annotations

import numpy as np
import pytest

sitk = pytest.importorskip("SimpleITK")
pytest.importorskip("skimage")

from scipy import ndimage  # noqa: E402
from scipy.spatial import cKDTree  # noqa: E402
from thoraces import SPACING, block_thorax  # noqa: E402

from OsteoScreenLib.errors import InputError  # noqa: E402
from OsteoScreenLib.simulate.labels import BONES, ORGANS  # noqa: E402
from OsteoScreenLib.simulate.meshes import Mesh  # noqa: E402
from OsteoScreenLib.simulate.registration import carry, lungs_and_bones  # noqa: E402
from OsteoScreenLib.simulate.sources import borrowed_parts  # noqa: E402
from OsteoScreenLib.simulate.thorax_ct import Labels, Scan, ThoraxParts, labels_of, mask_on_scan, parts_of, scan_of  # noqa: E402

MIDDLE = np.array([180.0, 140.0, 180.0])


def back(points: np.ndarray) -> np.ndarray:
    """The known bend, from the other thorax to the labelled one: LPS millimetres (n, 3) → (n, 3)."""
    x, y, z = ((points - MIDDLE) / 90).T
    wave = np.stack([9 * np.sin(z + 0.4), 7 * np.cos(1.2 * x) * np.sin(z), 8 * np.sin(x - 0.3 * y)], axis=1)
    return (points - MIDDLE) * (0.92, 0.95, 1.06) + MIDDLE + (6, -5, 4) + wave


def forth(points: np.ndarray) -> np.ndarray:
    """Its inverse, by going on until it comes back."""
    there = points.copy()
    for _ in range(60):
        there += points - back(there)
    assert np.abs(back(there) - points).max() < 1e-3
    return there


@pytest.fixture(scope="module")
def labelled() -> tuple[Scan, Labels]:
    voxels, drawn, numbers = block_thorax()
    made = [sitk.GetImageFromArray(array) for array in (voxels, drawn)]
    for image in made:
        image.SetSpacing(SPACING)
    return scan_of(made[0], "labelled"), labels_of(made[1], numbers)


@pytest.fixture(scope="module")
def bent(labelled: tuple[Scan, Labels]) -> Scan:
    """The labelled thorax's densities where the bend takes them, on a finer grid with another origin."""
    spacing, origin, shape = (3.0, 3.0, 3.0), np.array([-50.0, -40.0, -30.0]), (138, 118, 150)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    source = back(index[:, ::-1] * spacing + origin) / SPACING
    values = ndimage.map_coordinates(labelled[0].voxels, source[:, ::-1].T, order=1, cval=-1000, output=np.float32)
    image = sitk.GetImageFromArray(values.reshape(shape).astype(np.int16))
    image.SetSpacing(spacing)
    image.SetOrigin(origin.tolist())
    return scan_of(image, "bent")


def masks_of(scan: Scan, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    return mask_on_scan(labels, scan, ORGANS["right lung"] + ORGANS["left lung"]), mask_on_scan(labels, scan, tuple(BONES))


@pytest.fixture(scope="module")
def lent(labelled: tuple[Scan, Labels]) -> ThoraxParts:
    return parts_of(*labelled, "labelled")


@pytest.fixture(scope="module")
def borrowed(labelled: tuple[Scan, Labels], lent: ThoraxParts, bent: Scan) -> ThoraxParts:
    scan, labels = labelled
    return borrowed_parts(lent, masks_of(scan, labels), scan, bent, labels)


def apart(found: Mesh, true: np.ndarray) -> float:
    """Mean distance of surface points to the nearest of the true surface, both ways, millimetres."""
    there, home = cKDTree(true).query(found.vertices)[0], cKDTree(found.vertices).query(true)[0]
    return float(there.mean() + home.mean()) / 2


@pytest.mark.parametrize(
    "word,before,after", [("rib", 8.0, 2.5), ("T", 5.0, 4.5), ("sternum", 5.0, 3.5), ("lung", 6.0, 2.5)]
)  # measured: 10.2 → 1.7, 7.0 → 3.3, 6.2 → 2.2 and 8.1 → 1.7 mm
def test_a_known_bend_is_found_again(lent: ThoraxParts, borrowed: ThoraxParts, word: str, before: float, after: float) -> None:
    own, carried = ({**parts.bones, **parts.organs} for parts in (lent, borrowed))
    names = [name for name in own if word in name]
    true = {name: forth(own[name].vertices) for name in names}
    assert np.mean([apart(own[name], true[name]) for name in names]) > before
    assert np.mean([apart(carried[name], true[name]) for name in names]) < after


def test_everything_arrives_with_the_other_scans_own_skin_and_vessels(
    lent: ThoraxParts, borrowed: ThoraxParts, bent: Scan
) -> None:
    assert set(borrowed.bones) == set(lent.bones) and set(borrowed.organs) == set(lent.organs)
    assert all(mesh.volume_mm3 > 0 for mesh in (*borrowed.bones.values(), *borrowed.organs.values(), borrowed.body))
    for side in ("right", "left"):
        true = lent.organs[f"{side} lung"].moved(forth(lent.organs[f"{side} lung"].vertices)).volume_mm3
        assert borrowed.organs[f"{side} lung"].volume_mm3 == pytest.approx(true, rel=0.08)
    assert apart(borrowed.organs["vessels"], forth(lent.organs["vessels"].vertices)) < 4
    # Skin beside the lungs, where the scan shows it.
    low, high = (np.quantile(borrowed.organs["heart"].vertices[:, 2], share) for share in (0.0, 1.0))
    skins = [mesh[(mesh[:, 2] > low) & (mesh[:, 2] < high)] for mesh in (borrowed.body.vertices, forth(lent.body.vertices))]
    for axis in (0, 1):
        assert skins[0][:, axis].min() == pytest.approx(skins[1][:, axis].min(), abs=8)
        assert skins[0][:, axis].max() == pytest.approx(skins[1][:, axis].max(), abs=8)


def test_a_scan_without_labels_that_cannot_be_used_is_one_sentence(labelled: tuple[Scan, Labels], bent: Scan) -> None:
    lungs = np.flatnonzero(lungs_and_bones(bent)[0].any(axis=(1, 2)))
    half = int(lungs.mean())
    for part, sentence in ((slice(half, None), "bent ends in the middle of the thorax, at its foot end"),
                           (slice(0, half), "No whole lungs were found in the CT bent"),
                           (slice(0, lungs[0]), "No whole lungs were found in the CT bent")):  # fmt: skip
        with pytest.raises(InputError, match=sentence):
            lungs_and_bones(scan_of(bent.image[:, :, part], "bent"))
    picture = sitk.Cast(sitk.Clamp(bent.image, lowerBound=0, upperBound=255), sitk.sitkUInt8)
    with pytest.raises(InputError, match="bent has no labels and is an 8-bit picture"):
        lungs_and_bones(scan_of(picture, "bent"))
    tilted = sitk.Image(bent.image)
    tilted.SetDirection((1, 0, 0, 0, 0.98, -0.199, 0, 0.199, 0.98))
    with pytest.raises(InputError, match="slices of the CT bent are tilted"):
        carry(masks_of(*labelled), labelled[0].image, scan_of(tilted, "bent"))
