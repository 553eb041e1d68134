"""Two simulated sample radiographs as DICOM: a body with normal bone, and one with osteoporosis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.truth_cells import class_of
from OsteoScreenLib.files import write_bytes, write_text
from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.bone_loss import DensityLine
from OsteoScreenLib.simulate.console import Console, on_screen
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.projection import Geometry
from OsteoScreenLib.simulate.render import Exposure, detector_signal
from OsteoScreenLib.simulate.sources import load_anatomies, sources_in
from OsteoScreenLib.simulate.texture import with_lung_texture
from OsteoScreenLib.simulate.thorax import clinical_geometry, project_chest, random_parts
from OsteoScreenLib.study.density import density_at

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

BITS = 12
_STRIP = 160  # rows projected at a time, to bound memory


@dataclass(frozen=True)
class Sample:
    """One sample to be made. body : its seed. t_score : of its bones by the simulator's rule."""

    name: str
    body: int
    t_score: float
    description: str


SAMPLES = (
    Sample("simulated_chest_normal", 4, 0.5, "SIMULATED chest PA, normal bone density"),
    Sample("simulated_chest_osteoporosis", 9, -3.6, "SIMULATED chest PA, osteoporotic bone density"),
)
ATTRIBUTION = (
    "Simulated, no patient. Bones: BodyParts3D, (c) The Database Center for Life Science, CC BY-SA 2.1 Japan. "
    "Organs and body shape: LIDC-IDRI (Armato et al., The Cancer Imaging Archive), CC BY 3.0."
)


def sample_pixels(anatomy: Anatomy, sample: Sample, seed: int, size: int) -> tuple[np.ndarray, Geometry]:
    """Project and develop one sample: float32 (size, size) in [0, 1], bone bright, and its geometry."""
    rng = np.random.default_rng([seed, sample.body])
    parts = {name: mesh for name, mesh in random_parts(rng, anatomy).items() if "breast" not in name}
    geometry = replace(clinical_geometry(rng, parts, True, size), turn_degrees=(0.0, 0.0, 0.0))
    paths, bones = _in_strips(parts, geometry)
    paths = with_lung_texture(paths, rng)
    signal = detector_signal(paths, density_at(sample.t_score, DensityLine.of(parts), rng), Exposure(quanta=1.5e5), rng)
    # Developed in the middle of what the embedded classifier was trained on.
    return on_screen(signal, paths, bones, Console()), geometry


def _in_strips(parts: dict[str, Mesh], geometry: Geometry) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """`project_chest`'s path lengths and the union of the bones' masks, a few rows at a time."""
    strips: list[dict[str, np.ndarray]] = []
    bones = []
    for top in range(0, geometry.rows, _STRIP):
        rows = min(_STRIP, geometry.rows - top)
        down = (top + (rows - 1) / 2 - (geometry.rows - 1) / 2) * geometry.pixel_mm
        strip = replace(geometry, rows=rows, offset_mm=(geometry.offset_mm[0], geometry.offset_mm[1] + down))
        view = project_chest(parts, strip)
        strips.append(view.paths_mm)
        bones.append(view.bones)
    return {name: np.concatenate([strip[name] for strip in strips]) for name in strips[0]}, np.concatenate(bones)


def sample_dataset(pixels: np.ndarray, geometry: Geometry, sample: Sample, seed: int) -> FileDataset:
    """A Digital X-Ray Image - For Presentation, 12 bits, JPEG 2000 lossless.

    pixels : float32 (rows, columns) in [0, 1], bone bright. The same arguments give the same UIDs and bytes.
    """
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.sr.codedict import codes
    from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

    def uid(what: str) -> UID:
        return generate_uid(entropy_srcs=["osteoscreen-sample", sample.name, str(seed), what])

    view = codes.SCT.AnteroPosterior if geometry.direction == "AP" else codes.SCT.PosteroAnterior
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid("instance")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.PatientName, image.PatientID = "SIMULATED^OSTEOSCREEN", sample.name.upper()
    image.PatientBirthDate, image.PatientSex = "", "O"
    image.StudyInstanceUID, image.SeriesInstanceUID = uid("study"), uid("series")
    image.StudyDate = image.StudyTime = image.AccessionNumber = image.ReferringPhysicianName = image.StudyID = ""
    image.StudyDescription, image.SeriesDescription = "OsteoScreen sample", sample.description
    image.SeriesNumber = image.InstanceNumber = 1
    image.Modality, image.PresentationIntentType = "DX", "FOR PRESENTATION"
    image.Manufacturer, image.ManufacturerModelName = "OsteoScreen contributors", "OsteoScreen simulator"
    image.ImageType = ["DERIVED", "PRIMARY"]
    image.DerivationDescription = "Projected from surface models by the simulator"
    image.ImageComments = f"{ATTRIBUTION} Bone density set to T-score {sample.t_score:+.1f} by the simulator's own rule."
    image.BodyPartExamined, image.ViewPosition, image.PatientOrientation = "CHEST", geometry.direction, ["L", "F"]
    image.ImageLaterality = "U"
    for keyword, code in (("AnatomicRegionSequence", codes.SCT.Chest), ("ViewCodeSequence", view)):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
        setattr(image, keyword, [item])
    image.ViewCodeSequence[0].ViewModifierCodeSequence = []
    image.AcquisitionContextSequence = []

    spacing = geometry.pixel_mm
    image.ImagerPixelSpacing = [f"{spacing:.6f}"] * 2
    image.PixelSpacing = [f"{spacing / geometry.magnification:.6f}"] * 2
    image.PixelSpacingCalibrationType = "GEOMETRY"
    image.PixelSpacingCalibrationDescription = "At the middle of the body, from the simulated geometry"
    image.DistanceSourceToDetector = f"{geometry.source_detector_mm:.1f}"
    image.DistanceSourceToPatient = f"{geometry.source_detector_mm - geometry.centre_detector_mm:.1f}"
    image.EstimatedRadiographicMagnificationFactor = f"{geometry.magnification:.5f}"
    image.DetectorType, image.PositionerType = "DIRECT", "NONE"

    stored = np.rint(np.clip(pixels, 0, 1) * (2**BITS - 1)).astype(np.uint16)
    image.Rows, image.Columns = stored.shape
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, BITS, BITS - 1
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", 1
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "US"
    image.PresentationLUTShape = "IDENTITY"
    image.WindowCenter, image.WindowWidth = 2 ** (BITS - 1), 2**BITS
    image.LossyImageCompression, image.BurnedInAnnotation = "00", "NO"
    image.PixelData = stored.tobytes()
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    return image


def write_samples(
    folder: Path, skeleton: Path, thorax_ct: Path, seed: int = 0, size: int = 1280, cache: Path | None = None
) -> list[Path]:
    """Make both samples and their attribution in `folder`. The same arguments give the same files. cache : of anatomies."""
    folder.mkdir(parents=True, exist_ok=True)
    scanned = load_anatomies(sources_in(skeleton, thorax_ct), cache)[1]
    # What ships is made of the first labelled CT and the skeleton alone, whose licences are named beside it.
    anatomy = replace(scanned, others=scanned.others[:1])
    written = []
    for sample in SAMPLES:
        pixels, geometry = sample_pixels(anatomy, sample, seed, size)
        buffer = BytesIO()
        sample_dataset(pixels, geometry, sample, seed).save_as(buffer, enforce_file_format=True)
        written.append(write_bytes(folder / f"{sample.name}.dcm", buffer.getvalue()))
    write_text(folder / "ATTRIBUTION.md", _attribution(seed))
    write_text(folder / "samples.csv", samples_table())
    return written


def samples_table() -> str:
    """The samples as a table that names images and truth, for a reader study."""
    rows = (
        f"{sample.name}.dcm,{sample.body},{CLASSES[class_of(sample.t_score)]},{sample.t_score:g},PA\n" for sample in SAMPLES
    )
    return "image,patient_id,label,t_score,view\n" + "".join(rows)


def _attribution(seed: int) -> str:
    rows = "\n".join(f"| {sample.name}.dcm | {sample.description} | {sample.t_score:+.1f} |" for sample in SAMPLES)
    return f"""# Sample radiographs

Simulated frontal chest radiographs. No patient was imaged. Research use only.

| file | what it shows | T-score set |
|---|---|---|
{rows}

The T-score is the simulator's own rule from density to classes, not a measurement.

Made by `osteoscreen train-embedded samples --thorax-ct DIR --skeleton ZIP --work DIR --seed {seed}` from:

- BodyParts3D, © The Database Center for Life Science, CC BY-SA 2.1 Japan: the bones. The images are an adaptation and are
  shared under the same licence.
- LIDC-IDRI: Armato SG III et al., Data From LIDC-IDRI, The Cancer Imaging Archive, CC BY 3.0, with labels by TotalSegmentator:
  organs, body outline and part of the bones' shape.
"""
