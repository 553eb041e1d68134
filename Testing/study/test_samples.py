"""The sample radiographs: their tags, their losslessness, and that making them again gives the same bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("torch")

from OsteoScreenLib.files import resource_folder  # noqa: E402
from OsteoScreenLib.simulate.projection import Geometry  # noqa: E402
from OsteoScreenLib.study.samples import SAMPLES, sample_dataset, samples_table  # noqa: E402

SHIPPED = [resource_folder("SampleData", f"{sample.name}.dcm") for sample in SAMPLES]


def written(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    sample_dataset(pixels, Geometry(pixel_mm=0.3), SAMPLES[0], 1).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_pixels_come_back_to_the_bit_and_the_bytes_are_the_same_each_time():
    pixels = np.random.default_rng(0).random((48, 60), dtype=np.float32)
    first = written(pixels)
    assert first == written(pixels)
    read = pydicom.dcmread(BytesIO(first))
    assert np.array_equal(read.pixel_array, np.rint(pixels * 4095).astype(np.uint16))


def test_spacing_is_the_detectors_divided_by_the_magnification():
    read = pydicom.dcmread(BytesIO(written(np.zeros((64, 64), np.float32))))
    assert float(read.PixelSpacing[0]) == pytest.approx(
        float(read.ImagerPixelSpacing[0]) / float(read.EstimatedRadiographicMagnificationFactor), rel=1e-4
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_samples_say_what_they_are(path: Path):
    assert path.stat().st_size <= 1_500_000
    read = pydicom.dcmread(path)
    assert str(read.PatientName) == "SIMULATED^OSTEOSCREEN"
    assert (read.Modality, read.BodyPartExamined, read.ViewPosition) == ("DX", "CHEST", "PA")
    assert read.PresentationIntentType == "FOR PRESENTATION" and read.BitsStored == 12
    assert min(read.pixel_array.shape) >= 1024
    for name in ("BodyParts3D", "LIDC-IDRI", "CC BY-SA"):
        assert name in read.ImageComments


def test_attribution_lies_beside_the_samples():
    text = resource_folder("SampleData", "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert all(path.name in text for path in SHIPPED) and "CC BY-SA" in text


def test_the_shipped_table_is_of_the_shipped_samples():
    assert resource_folder("SampleData", "samples.csv").read_text(encoding="utf-8") == samples_table()
