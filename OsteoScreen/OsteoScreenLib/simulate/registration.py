"""A labelled thorax carried onto a CT without labels: lungs and bones pull, everything else follows smoothly.

Diffeomorphic demons (Vercauteren et al. 2009) of SimpleITK on images of three classes (lung, bone, the rest), after lungs were
laid on lungs axis by axis. The bones that come out are the labelled CT's, bent; they need not lie on the other CT's ribs of the
same number, and for simulating they need not: what is projected is what is labelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.surfaces import lungs_of
from OsteoScreenLib.simulate.thorax_ct import Scan

if TYPE_CHECKING:
    import SimpleITK as sitk

Warp = Callable[[np.ndarray], np.ndarray]
GRID_MM = 3.0
BONE_HU = 180


def lungs_and_bones(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Masks of a CT in Hounsfield units by thresholds: lungs, and dense bone without the table, bool (slices, rows, columns).

    Raises `InputError` (ct-incomplete) when no lungs are found, (ct-clipped) for an 8-bit window.
    """
    from scipy import ndimage

    if scan.clipped:
        raise InputError(
            f"The CT {scan.name} has no labels and is an 8-bit picture; give one in Hounsfield units.", code="ct-clipped"
        )
    lungs = lungs_of(scan.voxels, scan.spacing)
    if not lungs.any():
        raise InputError(
            f"No whole lungs were found in the CT {scan.name}; give a scan of the whole chest.", code="ct-incomplete"
        )
    areas = lungs.sum(axis=(1, 2))
    if areas[0] > 0.6 * areas.max():  # the recesses behind the domes may be cut off
        raise InputError(
            f"The CT {scan.name} ends in the middle of the thorax, at its foot end; give a scan of the whole chest.",
            code="ct-incomplete",
        )
    rows, columns = (np.flatnonzero(lungs.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    bone = scan.voxels > BONE_HU
    room_y, room_x = round(60 / scan.spacing[1]), round(60 / scan.spacing[0])
    near = np.zeros_like(bone)
    near[:, max(0, rows[0] - room_y) : rows[-1] + room_y, max(0, columns[0] - room_x) : columns[-1] + room_x] = True
    # What is dense inside the lungs' outline or as large as the heart is contrast medium, not bone.
    solid = ndimage.binary_opening(bone, iterations=max(2, round(7 / scan.spacing[0])))
    return lungs, bone & near & ~ndimage.binary_dilation(solid, iterations=3)


def class_image(lungs: np.ndarray, bones: np.ndarray, image: sitk.Image) -> sitk.Image:
    """-1 in lungs, +1 in bones, 0 elsewhere, smoothed, on a cubic grid of `GRID_MM`."""
    import SimpleITK as sitk

    mixed = sitk.GetImageFromArray(bones.astype(np.float32) - lungs.astype(np.float32))
    mixed.CopyInformation(image)
    mixed = sitk.SmoothingRecursiveGaussian(mixed, 2.0)
    size = [max(8, round(n * s / GRID_MM)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    return sitk.Resample(
        mixed, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), (GRID_MM,) * 3, image.GetDirection(), 0.0
    )


def carry(labelled: tuple[np.ndarray, np.ndarray], labelled_image: sitk.Image, target: Scan, iterations: int = 60) -> Warp:
    """The map from points of the labelled thorax to points of the target, LPS millimetres (n, 3) → (n, 3).

    labelled : its (lungs, bones), bool on `labelled_image`'s grid.

    Raises `InputError`: what `lungs_and_bones` raises, and (ct-oblique) for a scan that lies askew in space.
    """
    import SimpleITK as sitk

    for image, name in ((labelled_image, "with labels"), (target.image, target.name)):
        if not np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=0.01):
            raise InputError(f"The slices of the CT {name} are tilted; resample it along the body first.", code="ct-oblique")
    lungs, bones = lungs_and_bones(target)
    fixed = class_image(*labelled, labelled_image)
    moving = class_image(lungs, bones, target.image)
    low_a, high_a = _box(labelled[0], labelled_image)
    low_b, high_b = _box(lungs, target.image)
    scale = (high_b - low_b) / (high_a - low_a)
    first = sitk.AffineTransform(3)
    first.SetMatrix(np.diag(scale).ravel().tolist())
    first.SetTranslation(((low_b + high_b) / 2 - scale * (low_a + high_a) / 2).tolist())
    laid = sitk.Resample(moving, fixed, first, sitk.sitkLinear, 0.0)
    field: sitk.Image | None = None
    for shrink in (2, 1):
        coarse = sitk.Shrink(fixed, [shrink] * 3) if shrink > 1 else fixed
        demons = sitk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(iterations)
        demons.SetStandardDeviations(2.5)
        demons.SetSmoothDisplacementField(True)
        begun = sitk.Resample(field, coarse) if field is not None else None
        moved = sitk.Resample(laid, coarse, sitk.Transform(), sitk.sitkLinear, 0.0)
        field = demons.Execute(coarse, moved, begun) if begun is not None else demons.Execute(coarse, moved)
    assert field is not None
    vectors, grid = sitk.GetArrayFromImage(field), field
    offset, translation = np.array(grid.GetOrigin()), np.array(first.GetTranslation())

    def warp(points: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        index = ((points - offset) / GRID_MM)[:, ::-1].T
        moved = np.stack(
            [ndimage.map_coordinates(vectors[..., axis], index, order=1, mode="nearest") for axis in range(3)], axis=1
        )
        return (points + moved) * scale + translation

    return warp


def _box(mask: np.ndarray, image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a mask in LPS millimetres, leaving out the last half percent on each side."""
    index = np.argwhere(mask[::2, ::2, ::2])[:, ::-1] * 2
    low, high = np.percentile(index, [0.5, 99.5], axis=0)
    spacing, origin = np.array(image.GetSpacing()), np.array(image.GetOrigin())
    return origin + low * spacing, origin + high * spacing
