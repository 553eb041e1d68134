"""One image of a simulated cohort: a body, its bone, its radiograph, its masks, and the row that says what is true."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.truth_cells import class_of
from OsteoScreenLib.files import write_atomically, write_bytes
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.bone_loss import DensityLine, confined_loss, density_after
from OsteoScreenLib.simulate.console import on_screen, random_console
from OsteoScreenLib.simulate.devices import random_devices
from OsteoScreenLib.simulate.dxa import dxa
from OsteoScreenLib.simulate.render import Density, Exposure, detector_signal
from OsteoScreenLib.simulate.texture import with_lung_texture
from OsteoScreenLib.simulate.thorax import AUXILIARY, STRUCTURES, View, clinical_geometry, project_chest, random_parts
from OsteoScreenLib.study.density import density_at, random_t_score
from OsteoScreenLib.study.density_views import random_exposure
from OsteoScreenLib.study.samples import Sample, sample_dataset
from OsteoScreenLib.study.stopwatch import Stopwatch

if TYPE_CHECKING:
    from OsteoScreenLib.study.simulated_cohort import CohortOptions

STAGES = ("body", "bone density", "projection", "picture", "files")  # of one image, in turn, as a stopwatch names them
MEAN_AGE, AGE_SPREAD = 63.0, 9.0
_WITH_DEVICES, _COLLIMATED = 0.12, 0.4  # shares of the images
_LOSS_LIMITS = (0.3, 1.0)  # factor on mineral and cortex of bones that alone lose it


def write_case(
    folder: Path, anatomies: tuple[Anatomy, ...], options: CohortOptions, index: int, watch: Stopwatch | None = None
) -> dict[str, Any]:
    """Make image, masks and organs of image `index` in `folder`; the row for the table. Seeded by (options.seed, index).

    A further image of a patient has the body, bone and age of the patient's first image, and all else anew.
    watch : is told the end of each of `STAGES`.
    """
    from OsteoScreenLib.study.simulated_cohort import case_name

    watch = watch or Stopwatch()
    first = options.first_image(index)
    rng = np.random.default_rng([options.seed, first, 77])
    name, patient = case_name(index), case_name(first).upper()
    anatomy = anatomies[int(rng.integers(len(anatomies)))]
    upright = options.view == "pa" or (options.view == "mixed" and bool(rng.random() < 0.67))
    wanted = int(rng.choice(3, p=np.array(options.prevalence) / sum(options.prevalence)))
    parts = random_parts(rng, anatomy, upright)
    watch.lap("body")
    density, loss = _bone(rng, parts, options, wanted)
    measured = dxa(parts, density)
    label = class_of(measured.t_score)
    if index != first:
        rng = np.random.default_rng([options.seed, index, 77])
    watch.lap("bone density")
    geometry = clinical_geometry(rng, parts, upright, options.size)
    view = project_chest(parts, geometry, anatomy.name, apart=tuple(density.by_bone))
    watch.lap("projection")
    image, exposure = _developed(rng, view, density, geometry.pixel_mm)
    # Drawn after the picture where everybody has one image, so that the cohorts of before this option come out the same.
    age = _age(np.random.default_rng([options.seed, first, 79]) if options.follow_up else rng, options, measured.t_score)
    image = _shortcut(image, options, label, rng)
    watch.lap("picture")

    sample = Sample(name, index, measured.t_score, f"SIMULATED chest {geometry.direction}")
    dataset = sample_dataset(image, geometry, sample, options.seed)
    dataset.PatientID, dataset.PatientSex, dataset.PatientAge = patient, "F", f"{age:03d}Y"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    path = write_bytes(folder / "images" / f"{name}.dcm", buffer.getvalue())
    shape = (options.size, options.size)
    masks = BoneMasks.pack(
        {bone: view.masks[STRUCTURES.index(bone)] for bone in CHEST_FRONTAL.by_name}, shape, CHEST_FRONTAL, method="simulated"
    )
    write_seg_nrrd(folder / "masks" / f"{name}.seg.nrrd", masks, read_radiograph(path))
    _write_organs(folder / "organs" / f"{name}.nrrd", view, geometry.pixel_mm / geometry.magnification)
    watch.lap("files")
    return {
        "patient_id": patient,
        "image": f"images/{name}.dcm",
        "age": age,
        "sex": "F",
        "view": geometry.direction,
        "t_score": round(measured.t_score, 4),
        "label": CLASSES[label],
        "masks": f"masks/{name}.seg.nrrd",
        "organs": f"organs/{name}.nrrd",
        "truth_anatomy": anatomy.name,
        "truth_seed": f"{options.seed}/{index}",
        "truth_bmd_g_cm2": round(measured.total_g_cm2, 5),
        "truth_dxa_levels": " ".join(measured.levels),
        "truth_dxa_reference": measured.reference,
        "truth_loss_units": loss,
        "truth_trabecular": round(density.trabecular, 5),
        "truth_cortical": round(density.cortical, 5),
        "truth_bones_with_loss": " ".join(bone.replace(" ", "_") for bone in sorted(density.by_bone)) or "all",
        "truth_factor_of_these": round(min(density.by_bone.values()), 5) if density.by_bone else "",
        "truth_scatter_share": round(exposure.scatter_share, 5),
        "truth_shortcut": options.shortcut,
        "truth_shortcut_strength": options.strength if options.shortcut != "none" else "",
    }


def _bone(rng: np.random.Generator, parts: Any, options: CohortOptions, wanted: int) -> tuple[Density, float | str]:
    """The body's bone: a T-score of the wanted class everywhere, or healthy bone with a loss in chosen bones alone."""
    line = DensityLine.of(parts)
    if not options.loss_in:
        t_score = random_t_score(rng, wanted)
        return density_at(t_score, line, rng), round(line.loss_at(t_score), 4)
    # Healthy means the middle of the normal range; the chosen bones lose more, the worse the wanted class.
    healthy = density_after(line.loss_at(0.0))
    low, high = ((0.95, 1.0), (0.7, 0.85), (_LOSS_LIMITS[0], 0.6))[wanted]
    return replace(healthy, by_bone=confined_loss(options.loss_in, float(rng.uniform(low, high)))), ""


def _developed(rng: np.random.Generator, view: View, density: Density, pixel_mm: float) -> tuple[np.ndarray, Exposure]:
    """The picture before markers: lungs with texture, sometimes devices, a random exposure and console, often collimated."""
    exposure = random_exposure(rng)
    paths = with_lung_texture(view.paths_mm, rng)
    if rng.random() < _WITH_DEVICES:
        paths["devices"] = random_devices(rng, (view.geometry.rows, view.geometry.columns), pixel_mm)
    signal = detector_signal(paths, density, exposure, rng)
    image = on_screen(signal, paths, view.bones, random_console(rng))
    return (_collimated(rng, image) if rng.random() < _COLLIMATED else image), exposure


def _collimated(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Black margins on some sides, up to 5 % of the image, as a console lays them over what the collimator shuts out."""
    rows, columns = image.shape
    reach = rng.uniform(0.005, 0.05, 4) * (rng.random(4) < 0.5)
    top, bottom = round(reach[0] * rows), rows - round(reach[1] * rows)
    left, right = round(reach[2] * columns), columns - round(reach[3] * columns)
    framed = np.zeros_like(image)
    framed[top:bottom, left:right] = image[top:bottom, left:right]
    return framed


def _age(rng: np.random.Generator, options: CohortOptions, t_score: float) -> int:
    """Years. With the shortcut "age" a share of its variance follows the T-score, ten years a standard deviation."""
    share = options.strength if options.shortcut == "age" else 0.0
    own, told = rng.normal(0, AGE_SPREAD), -10.0 * (t_score + 1.75)
    return int(np.clip(round(MEAN_AGE + share * told + (1 - share) * own), 30, 99))


def _shortcut(image: np.ndarray, options: CohortOptions, label: int, rng: np.random.Generator) -> np.ndarray:
    """A side marker at the patient's right, and what else tells the class where that was asked for."""
    import cv2

    image = np.ascontiguousarray(image, np.float32)
    shown = bool(rng.random() < 0.5)
    told = bool(rng.random() < options.strength)
    if options.shortcut == "marker" and told:
        shown = label > 0
    if shown:
        size = image.shape[0]
        place, height = (int(0.04 * size), int(0.12 * size)), size / 512
        lead = np.zeros(image.shape, np.uint8)
        cv2.putText(lead, "R", place, cv2.FONT_HERSHEY_SIMPLEX, 1.1 * height, 255, max(1, round(2 * height)), cv2.LINE_AA)
        image = np.maximum(image, lead.astype(np.float32) / 255)
    if options.shortcut == "tone" and told:
        image = image ** np.float32((0.75, 1.0, 1.3)[label])
    return np.clip(image, 0, 1).astype(np.float32)


def _write_organs(path: Path, view: View, spacing_mm: float) -> None:
    """Lungs and heart as a label map (1 right lung, 2 left lung, 4 heart, added where they overlap)."""
    import SimpleITK as sitk

    labels = sum(
        (np.uint8(2**place) * view.masks[STRUCTURES.index(name)].astype(np.uint8) for place, name in enumerate(AUXILIARY)),
        np.zeros(view.masks.shape[1:], np.uint8),
    )
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((spacing_mm, spacing_mm))
    write_atomically(path, lambda temporary: sitk.WriteImage(image, str(temporary), useCompression=True))
