"""The DICOM objects of whole analyses, seen by others: dciodvfy, dcmtk, highdicom, pydicom, pynrrd and SimpleITK."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from exchange.conformance import errors, errors_beyond, needs_checkers, report_text, xml_of
from exchange.dicom_cases import PLACEMENTS, dicom_case
from exchange.result_cases import differences

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.analysis_file import read_result
from OsteoScreenLib.exchange.dicom.objects import write_dicom
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.radiograph import Placement
from OsteoScreenLib.workbench.worker_client import WorkerClient

ANALYSABLE = (
    "chest_pa_cr_8bit_jpeg.dcm", "chest_pa_tagged_monochrome1.dcm", "chest_cr_monochrome1_10bit.dcm",
    "chest_pa_j2k_pixelspacing_zero.dcm", "chest_dx_pa_12bit_j2k.dcm", "chest_dx_inverted_upside_down_16bit.dcm",
)  # fmt: skip
SAMPLES = ("simulated_chest_normal.dcm", "simulated_chest_osteoporosis.dcm")
OBJECTS = {"seg.dcm", "sr.dcm", "sc.dcm", "pr.dcm", "saliency.dcm"}
SEG, SR = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.33"


@pytest.fixture(scope="module")
def analyser() -> Iterator[WorkerClient]:
    """The analysis process with the embedded models."""
    with WorkerClient() as client:
        yield client


@pytest.fixture(scope="module")
def analysed(analyser: WorkerClient, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """Every DICOM file that can be analysed, real ones where they are there → the folder of its results; the others were refused."""
    real = Path(__file__).resolve().parents[3] / "shared" / "data" / "radiographs"
    folders = {}
    for image in (*sorted(resource_folder("SampleData").glob("*.dcm")), *sorted(real.glob("*.dcm"))):
        out = tmp_path_factory.mktemp(image.stem)
        request = {"path": str(image), "out": str(out), "dicom": True, "cover": ["Spine", "left rib 5"]}
        try:
            analyser.request("analyse", request, timeout=120)
        except InputError:
            continue
        folders[image] = out
    return folders


@pytest.fixture(params=[*SAMPLES, *ANALYSABLE])
def case(request: pytest.FixtureRequest, analysed: dict[Path, Path]) -> tuple[Path, Path]:
    """One analysed file and its results."""
    found = [(image, out) for image, out in analysed.items() if image.name == request.param]
    if not found and request.param in ANALYSABLE:
        request.getfixturevalue("shared_data")  # skips where the real files are not
    return found[0]


def test_every_analysable_file_is_here(analysed: dict[Path, Path], shared_data: Path) -> None:
    assert {image.name for image in analysed} == {*ANALYSABLE, *SAMPLES}


@needs_checkers
def test_dciodvfy_finds_no_error_of_ours(case: tuple[Path, Path]) -> None:
    image, out = case
    assert {path.name for path in out.glob("*.dcm")} == OBJECTS
    assert {path.name: errors_beyond(path, image) for path in out.glob("*.dcm")} == {name: [] for name in OBJECTS}


@needs_checkers
def test_dcmtk_reads_everything(case: tuple[Path, Path]) -> None:
    _, out = case
    for path in out.glob("*.dcm"):
        tags = {element.get("tag") for element in xml_of(path).iter("element")}
        assert {"0008,0018", "0020,000d"} <= tags, path.name
    text = report_text(out / "sr.dcm")
    answer = json.loads((out / "analysis.json").read_text(encoding="utf-8"))["prediction"]
    assert "Probability of osteoporosis" in text and "RESEARCH USE ONLY" in text.upper() and "simulated" in text.lower()
    assert f"{100 * answer['probabilities']['osteoporosis']:.6g}" in text


def test_masks_are_read_back_bit_for_bit(case: tuple[Path, Path]) -> None:
    image, out = case
    stored = stored_masks(out)
    source, dataset = pydicom.dcmread(image), pydicom.dcmread(out / "seg.dcm")
    labels = {int(one.SegmentNumber): str(one.SegmentLabel) for one in dataset.SegmentSequence}
    assert set(labels.values()) == set(stored) and len(stored) > 30
    assert (dataset.Rows, dataset.Columns) == (source.Rows, source.Columns)

    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    by_pydicom = {}
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        assert number not in by_pydicom, "one frame a bone"
        by_pydicom[number] = frame
    planes = highdicom.seg.segread(out / "seg.dcm").get_pixels_by_source_instance(
        [str(source.SOPInstanceUID)], segment_numbers=list(labels), ignore_spatial_locations=True
    )
    for index, (number, name) in enumerate(labels.items()):
        np.testing.assert_array_equal(by_pydicom[number].astype(bool), stored[name], name)
        np.testing.assert_array_equal(planes[0, ..., index].astype(bool), stored[name], name)


def test_numbers_are_read_back(case: tuple[Path, Path]) -> None:
    _, out = case
    told, written = read_result(out / "sr.dcm"), read_result(out / "analysis.json")
    assert written.covering is not None and len(written.covering.effects) > 3
    assert differences(written, told, within=1e-12) == []


def test_short_numbers_agree_with_exact_ones(case: tuple[Path, Path]) -> None:
    """What viewers show is the exact value in six significant digits; both stand in each item."""
    _, out = case
    report = highdicom.sr.srread(out / "sr.dcm")
    measured = [item.MeasuredValueSequence[0] for item in items_of(report) if "MeasuredValueSequence" in item]
    assert len(measured) > 40
    for one in measured:
        exact = float(one.get("FloatingPointValue", one.NumericValue))
        assert math.isclose(float(one.NumericValue), exact, rel_tol=5.1e-6, abs_tol=1e-12)


def test_the_report_names_the_segments(case: tuple[Path, Path]) -> None:
    """Every bone that the report gives a number for is named by its segment, which exists."""
    _, out = case
    segmentation = pydicom.dcmread(out / "seg.dcm")
    numbers = {int(one.SegmentNumber) for one in segmentation.SegmentSequence}
    named: set[int] = set()
    for item in items_of(pydicom.dcmread(out / "sr.dcm")):
        for reference in item.get("ReferencedSOPSequence", []):
            if reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID:
                segments = reference.get("ReferencedSegmentNumber")
                named |= {int(one) for one in np.atleast_1d(segments)} if segments is not None else set()
                for frame in np.atleast_1d(reference.get("ReferencedFrameNumber", [])):
                    groups = segmentation.PerFrameFunctionalGroupsSequence[int(frame) - 1]
                    named.add(int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber))
    assert named and named <= numbers


def test_objects_lie_in_the_source_study(case: tuple[Path, Path]) -> None:
    image, out = case
    source = pydicom.dcmread(image)
    made = {path.name: pydicom.dcmread(path) for path in sorted(out.glob("*.dcm"))}
    assert {one.StudyInstanceUID for one in made.values()} == {source.StudyInstanceUID}
    assert {str(one.get("PatientID") or "") for one in made.values()} == {str(source.get("PatientID") or "")}
    series = {one.SeriesInstanceUID for one in made.values()} | {source.SeriesInstanceUID}
    assert len(series) == len(made) + 1 and len({one.SOPInstanceUID for one in made.values()}) == len(made)
    for name, one in made.items():
        assert "RESEARCH USE ONLY" in one.SeriesDescription, name
        assert str(source.SOPInstanceUID) in str(one), f"{name} names its source"
        assert one.SOPInstanceUID.startswith("2.25.") and len(one.SOPInstanceUID) <= 64


def test_the_saliency_map_lies_on_the_stored_image(case: tuple[Path, Path]) -> None:
    import nrrd
    import SimpleITK

    image, out = case
    source = pydicom.dcmread(image, stop_before_pixels=True)
    values, header = nrrd.read(str(out / "saliency.nrrd"))
    assert values.shape == (source.Columns, source.Rows, 1) and np.isfinite(values).all() and values.max() > 0
    assert header["space"] == "left-posterior-superior"
    assert SimpleITK.ReadImage(str(out / "saliency.nrrd")).GetSize() == (source.Columns, source.Rows, 1)
    segments = pydicom.dcmread(out / "saliency.dcm")
    strongest = segments.pixel_array.reshape(-1, source.Rows, source.Columns).sum(axis=0).argmax()
    assert values[:, :, 0].T.flat[strongest] >= np.quantile(values, 0.9)


def test_nothing_is_printed_about_the_patient(analysed: dict[Path, Path], analyser: WorkerClient) -> None:
    """What the process writes to stderr goes to a log."""
    assert analysed and "Warning" not in analyser.stderr_tail
    for image in analysed:
        source = pydicom.dcmread(image, stop_before_pixels=True)
        for value in (source.get("PatientName"), source.get("PatientID"), source.get("PatientBirthDate")):
            assert not value or str(value) not in analyser.stderr_tail


@needs_checkers
@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
def test_every_placement_conforms(rotate: int, flip: str | None, tmp_path: Path) -> None:
    made = dicom_case(tmp_path, rotate=rotate, flip=flip)
    files = write_dicom(tmp_path, made.path, made.analysis, made.radiograph, made.masks, made.overlay)
    assert {path.name for path in files.values()} >= OBJECTS
    for path in files.values():
        if path.suffix == ".dcm":
            assert errors_beyond(path, made.path) == [], path.name
            xml_of(path)
    report_text(tmp_path / "sr.dcm")
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        label = next(str(one.SegmentLabel) for one in dataset.SegmentSequence if one.SegmentNumber == number)
        np.testing.assert_array_equal(frame.astype(bool), made.radiograph.placement.undo(made.masks.mask(label)))


@needs_checkers
def test_the_checkers_would_see_a_fault(tmp_path: Path) -> None:
    made = dicom_case(tmp_path)
    files = write_dicom(tmp_path, made.path, made.analysis, made.radiograph, made.masks, made.overlay)
    segmentation = pydicom.dcmread(files["seg"])
    del segmentation.SegmentSequence[0].SegmentAlgorithmType
    segmentation.save_as(tmp_path / "broken.dcm")
    assert any("SegmentAlgorithmType" in line for line in errors_beyond(tmp_path / "broken.dcm", made.path))
    report = pydicom.dcmread(files["sr"])
    del report.ContentSequence[0].ConceptNameCodeSequence
    report.save_as(tmp_path / "broken-sr.dcm")
    with pytest.raises(AssertionError):
        report_text(tmp_path / "broken-sr.dcm")
    assert errors(made.path) is not None


def stored_masks(out: Path) -> dict[str, np.ndarray]:
    """The masks of masks.seg.nrrd as the stored image lies, by name, read without the library: bool (rows, columns)."""
    import nrrd

    values, header = nrrd.read(str(out / "masks.seg.nrrd"))
    layers = (values if values.ndim == 4 else values[np.newaxis])[..., 0].transpose(0, 2, 1)
    how = json.loads((out / "analysis.json").read_text(encoding="utf-8"))["radiograph"]["placement"]
    placement = Placement(**how)
    masks, number = {}, 0
    while f"Segment{number}_Name" in header:
        layer, label = int(header[f"Segment{number}_Layer"]), int(header[f"Segment{number}_LabelValue"])
        masks[header[f"Segment{number}_Name"]] = placement.undo(layers[layer] == label)
        number += 1
    return masks


def items_of(dataset: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    """Every content item of a report."""
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items_of(item)
