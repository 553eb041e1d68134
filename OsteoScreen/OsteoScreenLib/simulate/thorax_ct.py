"""A chest CT, with or without labels, read and checked: bones, organs, skin and vessels as surfaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.labels import BONES, ORGANS, check_names, normalised, read_names
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.surfaces import largest_pieces, surface, trunk, vessels_of

if TYPE_CHECKING:
    import SimpleITK as sitk

_LARGEST_CUT = 0.12  # of a lung's largest cross-section may lie in the first or last slice; more is a lung cut off
_NEEDED_RIBS = tuple(f"{side} rib {i}" for side in ("right", "left") for i in range(2, 9))
_NEEDED_LEVELS = tuple(f"T{i}" for i in range(2, 11))


@dataclass(frozen=True)
class ThoraxParts:
    """What one CT shows, as surfaces in LPS millimetres.

    bones : by vocabulary name, and C3-C6, L3-L5; bones that the scan cuts off are left out. organs : "right lung", "left lung",
    "heart", "airway", "vessels". body : the skin of the trunk.
    """

    bones: Mapping[str, Mesh]
    organs: Mapping[str, Mesh]
    body: Mesh


@dataclass(frozen=True)
class Scan:
    """A CT in LPS orientation (columns to the left, rows to the back, slices to the head).

    image : SimpleITK image. voxels : (slices, rows, columns). clipped : an 8-bit window instead of Hounsfield units; it gives
    shapes, and no densities. name : for messages.
    """

    image: sitk.Image
    voxels: np.ndarray
    clipped: bool
    name: str

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(column, row, slice) in millimetres."""
        x, y, z = self.image.GetSpacing()
        return float(x), float(y), float(z)

    def inside(self) -> np.ndarray:
        """Voxels that are not air, bool."""
        return self.voxels > (0 if self.clipped else -250)

    def dense(self) -> np.ndarray:
        """Voxels of soft tissue or denser, bool."""
        return self.voxels > (0 if self.clipped else -450)


def read_scan(path: Path) -> Scan:
    """Read a CT from NRRD, NIfTI, MetaImage, or a folder of DICOM slices, of which the longest series is taken.

    Raises `InputError` (ct-missing, ct-unreadable).
    """
    import SimpleITK as sitk

    if not path.exists():
        raise InputError(f"There is no CT {path}; give a file or a folder of DICOM slices.", code="ct-missing")
    try:
        if path.is_dir():
            reader = sitk.ImageSeriesReader
            names = max(
                (reader.GetGDCMSeriesFileNames(str(path), one) for one in reader.GetGDCMSeriesIDs(str(path))),
                key=len,
                default=(),
            )
            if len(names) < 8:
                raise InputError(f"{path.name} holds no CT series; give the folder of one series.", code="ct-unreadable")
            image = sitk.ReadImage(names)
        else:
            image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name} could not be read as a CT; get the file again.", code="ct-unreadable") from error
    return scan_of(image, path.name)


def scan_of(image: sitk.Image, name: str) -> Scan:
    """A scan from an image that was read or made. Raises `InputError` (ct-unreadable) when it has no three dimensions."""
    import SimpleITK as sitk

    if image.GetDimension() != 3 or min(image.GetSize()) < 8 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{name} is not a CT with slices; give another one.", code="ct-unreadable")
    turned = sitk.DICOMOrient(image, "LPS")
    voxels = sitk.GetArrayFromImage(turned)
    clipped = voxels.dtype == np.uint8 or (voxels.min() >= 0 and voxels.max() <= 255)
    return Scan(turned, voxels, clipped, name)


@dataclass(frozen=True)
class Labels:
    """Structures drawn on a scan, possibly on a finer or coarser grid. numbers : structure (TotalSegmentator's name) → label."""

    image: sitk.Image
    voxels: np.ndarray
    numbers: Mapping[str, int]


def read_labels(path: Path, names: Path | None) -> Labels:
    """Read a label map and its table, or a folder with one mask per structure (TotalSegmentator's own output).

    Raises `InputError` (ct-missing, ct-unreadable, label-names).
    """
    import SimpleITK as sitk

    if not path.exists():
        raise InputError(f"There are no labels {path}; give TotalSegmentator's output.", code="ct-missing")
    try:
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.name.endswith((".nii.gz", ".nii", ".nrrd")))
            if not files:
                raise InputError(f"{path.name} holds no masks; give TotalSegmentator's output folder.", code="ct-missing")
            structures = [file.name.split(".")[0] for file in files]
            check_names(structures)
            first = sitk.ReadImage(str(files[0]))
            voxels = np.zeros(first.GetSize()[::-1], np.uint16)
            for number, file in enumerate(files, 1):
                drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(file))) > 0
                if drawn.shape != voxels.shape:
                    raise InputError(f"The masks in {path.name} differ in size; make them again.", code="ct-unreadable")
                voxels[drawn] = number
            image = sitk.GetImageFromArray(voxels)
            image.CopyInformation(first)
            return labels_of(image, {normalised(name): number for number, name in enumerate(structures, 1)})
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name} could not be read as labels; get the file again.", code="ct-unreadable") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path.name} is not one label map; export the labels as one volume.", code="ct-unreadable")
    if names is None:
        raise InputError(
            f"The labels {path.name} come without the names of their structures; put a table {path.name.split('.')[0]}.csv with "
            "the columns structure and id beside them.",
            code="label-names",
        )
    return labels_of(image, read_names(names))


def labels_of(image: sitk.Image, numbers: Mapping[str, int]) -> Labels:
    """Labels from an image that was read or made."""
    import SimpleITK as sitk

    if image.GetPixelID() in (sitk.sitkFloat32, sitk.sitkFloat64):  # as NIfTI writers like to store them
        image = sitk.Cast(sitk.Round(image), sitk.sitkInt32)
    turned = sitk.DICOMOrient(image, "LPS")
    return Labels(turned, sitk.GetArrayFromImage(turned), numbers)


def check_match(scan: Scan, labels: Labels, name: str) -> None:
    """See that the labels were drawn on this CT: the same space, lungs on air, bones on what is denser than what surrounds them.

    Raises `InputError` (labels-mismatch).
    """
    import SimpleITK as sitk

    wrong = InputError(
        f"The labels do not match the CT {name}; give the labels that were made from this very scan.", code="labels-mismatch"
    )
    low_a, high_a = _extent(scan.image)
    low_b, high_b = _extent(labels.image)
    shared = np.prod(np.maximum(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0))
    if shared < 0.8 * max(np.prod(high_a - low_a), np.prod(high_b - low_b)):
        raise wrong
    on_scan = sitk.GetArrayFromImage(sitk.Resample(labels.image, scan.image, sitk.Transform(), sitk.sitkNearestNeighbor))
    chosen = {word: [labels.numbers[n] for n in group if n in labels.numbers] for word, group in
              (("lung", ORGANS["right lung"] + ORGANS["left lung"]), ("bone", tuple(BONES)))}  # fmt: skip
    lung = scan.voxels[np.isin(on_scan, chosen["lung"])]
    bone = scan.voxels[np.isin(on_scan, chosen["bone"])]
    airy = lung < (8 if scan.clipped else -300)
    if lung.size and airy.mean() < 0.5:
        raise wrong
    if bone.size and (bone > (20 if scan.clipped else 90)).mean() < 0.5:
        raise wrong


def _extent(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    low = np.array(image.GetOrigin())
    return low, low + np.array(image.GetSpacing()) * np.array(image.GetSize())


def parts_of(scan: Scan, labels: Labels, name: str) -> ThoraxParts:
    """Bones, organs and skin of a labelled CT.

    Raises `InputError`: labels-mismatch; ct-incomplete when the scan ends in the middle of the thorax or structures are missing.
    """
    from scipy import ndimage

    check_match(scan, labels, name)
    boxes = ndimage.find_objects(labels.voxels)
    last = labels.voxels.shape[0]

    def drawn(structures: tuple[str, ...]) -> tuple[np.ndarray, tuple[slice, ...]] | None:
        """Mask of the structures inside their bounding box, and that box; None when the scan does not show them."""
        chosen = [labels.numbers[part] for part in structures if part in labels.numbers]
        found = [boxes[number - 1] for number in chosen if number <= len(boxes) and boxes[number - 1] is not None]
        if not found:
            return None
        box = tuple(slice(min(part[i].start for part in found), max(part[i].stop for part in found)) for i in range(3))
        return np.isin(labels.voxels[box], chosen), box

    bones = {}
    for structure, bone in BONES.items():
        shown = drawn((structure,))
        # A bone cut by the end of the scan has no true shape.
        if shown is not None and shown[1][0].start > 0 and shown[1][0].stop < last and shown[0].sum() > 20:
            bones[bone] = surface(largest_pieces(shown[0]), shown[1], labels.image)
    missing = [bone for bone in (*_NEEDED_LEVELS, *_NEEDED_RIBS, "sternum") if bone not in bones]
    organs = {}
    for organ, parts in ORGANS.items():
        shown = drawn(parts)
        if shown is None:
            missing.append(organ)
            continue
        areas = shown[0].sum(axis=(1, 2))
        ends = (shown[1][0].start == 0) * areas[0], (shown[1][0].stop == last) * areas[-1]
        if "lung" in organ and max(ends) > _LARGEST_CUT * areas.max():
            side = "foot" if ends[0] > ends[1] else "head"
            raise InputError(
                f"The CT {name} ends in the middle of the thorax, at its {side} end; give a scan of the whole chest.",
                code="ct-incomplete",
            )
        organs[organ] = surface(*shown, labels.image, blur_mm=2.0, step_mm=3.0)
    if missing:
        listed = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise InputError(
            f"The CT {name} does not show a whole thorax with its labels: {listed} missing or cut off; give a scan of the whole "
            "chest and TotalSegmentator's labels.",
            code="ct-incomplete",
        )
    on_scan = mask_on_scan(labels, scan, tuple(part for group in ("right lung", "left lung") for part in ORGANS[group]))
    organs["vessels"] = vessels_of(scan.dense(), on_scan, scan.image)
    spine = np.argwhere(mask_on_scan(labels, scan, tuple(f"vertebrae_T{i}" for i in (1, 2, 3, 4))))[:, 1:].mean(axis=0)
    inside = scan.inside() | mask_on_scan(labels, scan, tuple(labels.numbers))
    return ThoraxParts(bones, organs, trunk(inside, spine, scan.image, scan.clipped))


def mask_on_scan(labels: Labels, scan: Scan, structures: tuple[str, ...]) -> np.ndarray:
    """Where the scan shows any of the structures: bool (slices, rows, columns) on its own grid.

    structures : TotalSegmentator's names; those that the labels do not hold count as not shown.
    """
    import SimpleITK as sitk

    chosen = [labels.numbers[part] for part in structures if part in labels.numbers]
    on_scan = sitk.Resample(labels.image, scan.image, sitk.Transform(), sitk.sitkNearestNeighbor)
    mask: np.ndarray = np.isin(sitk.GetArrayViewFromImage(on_scan), chosen)
    return mask


def thorax_from_arrays(
    voxels: np.ndarray, ijk_to_lps: np.ndarray, labels: np.ndarray, numbers: Mapping[str, int], name: str
) -> ThoraxParts:
    """The same from arrays, as they lie in an application: both (slices, rows, columns), `ijk_to_lps` (4, 4) without shear.

    Raises `InputError` as `parts_of` does, and (ct-unreadable) for a sheared or degenerate grid.
    """
    import SimpleITK as sitk

    check_names(numbers)
    axes = ijk_to_lps[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if spacing.min() < 1e-6 or not np.allclose((axes / spacing).T @ (axes / spacing), np.eye(3), atol=1e-3):
        raise InputError(f"The voxels of {name} are sheared; resample the CT first.", code="ct-unreadable")
    images = []
    for array in (voxels, labels):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing([float(value) for value in spacing])
        image.SetDirection([float(value) for value in (axes / spacing).ravel()])
        image.SetOrigin([float(value) for value in ijk_to_lps[:3, 3]])
        images.append(image)
    found = labels_of(images[1], {normalised(structure): number for structure, number in numbers.items()})
    return parts_of(scan_of(images[0], name), found, name)


def vocabulary_only(bones: Mapping[str, Mesh]) -> dict[str, Mesh]:
    """The bones of the site, without neighbours."""
    return {name: mesh for name, mesh in bones.items() if name in CHEST_FRONTAL.by_name}
