"""Loaded volumes against the files they came from: untouched, turned, cut, edited, resampled, and without any header."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit
from radiograph.synthetic import CR, SC, bytes_of, codes, data_set, grey_picture, save

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph
from OsteoScreenLib.radiograph.read import radiograph_from_array, radiograph_from_volume, read_radiograph
from OsteoScreenLib.radiograph.same_values import EVERY_PLACEMENT
from OsteoScreenLib.radiograph.volume import placement_of_axes

TWELVE = grey_picture(96, 80)
TAGS = {"BitsStored": 12, "HighBit": 11, "ViewPosition": "PA", "BodyPartExamined": "CHEST"}
WINDOW = {"WindowCenter": 2000, "WindowWidth": 3000}


def table(rising: bool = True) -> list[Dataset]:
    """A Modality LUT that is no straight line."""
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "US"
    entries = np.linspace(0, 1, 4096) ** 2 * 60000
    item.LUTData = (entries if rising else entries[::-1]).astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return [item]


def from_volume(path: Path, array: np.ndarray, spacing: tuple[float, float] | None = None, **overrides: object) -> Radiograph:
    return radiograph_from_volume(array, spacing, str(path), name="Chest", **overrides)  # type: ignore[arg-type]


def assert_same(one: Radiograph, other: Radiograph) -> None:
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert {k: v for k, v in vars(one).items() if k != "pixels"} == {k: v for k, v in vars(other).items() if k != "pixels"}


def note(radiograph: Radiograph, code: str) -> str:
    return next(one.text for one in radiograph.notes if one.code == code)


SIGNED = (TWELVE.astype("i4") - 1000).astype("i2")
READERS = {
    # file, what GDCM hands out, what DCMTK hands out
    "as stored": (data_set(TWELVE, **TAGS), TWELVE, TWELVE),
    "monochrome1": (data_set(TWELVE, **TAGS, PhotometricInterpretation="MONOCHROME1"), 4095 - TWELVE, TWELVE),
    "signed": (data_set(SIGNED), SIGNED, SIGNED),
    "signed monochrome1": (data_set(SIGNED, PhotometricInterpretation="MONOCHROME1"), -1 - SIGNED, SIGNED),
    "rescale": (data_set(TWELVE, **TAGS, RescaleSlope=2, RescaleIntercept=-1024), 2 * TWELVE.astype("i2") - 1024, None),
    "falling rescale": (data_set(TWELVE, **TAGS, RescaleSlope=-1, RescaleIntercept=4095), 4095 - TWELVE, None),
    "fractions": (data_set(TWELVE, **TAGS, RescaleSlope=0.5, RescaleIntercept=-10.25), TWELVE * 0.5 - 10.25,
                  np.trunc(TWELVE * 0.5 - 10.25).astype("i2")),
    "rescaled monochrome1": (data_set(TWELVE, **TAGS, RescaleSlope=2, RescaleIntercept=-1024, PhotometricInterpretation="MONOCHROME1"),
                             2 * (4095 - TWELVE.astype("i2")) - 1024, 2 * TWELVE.astype("i2") - 1024),
    "table": (data_set(TWELVE, **TAGS, ModalityLUTSequence=table()), TWELVE, (np.linspace(0, 1, 4096) ** 2 * 60000).astype("u2")[TWELVE]),
    "table and monochrome1": (data_set(TWELVE, **TAGS, ModalityLUTSequence=table(), PhotometricInterpretation="MONOCHROME1"),
                              4095 - TWELVE, (np.linspace(0, 1, 4096) ** 2 * 60000).astype("u2")[TWELVE]),
    "bits to the left": (data_set((TWELVE << 4).astype("u2"), BitsStored=12, HighBit=15), (TWELVE << 4) & 0xFFF, TWELVE),
    "overlay in high bits": (data_set((TWELVE | 0xF000).astype("u2"), **TAGS), TWELVE, TWELVE),
    "32 bits": (data_set(TWELVE.astype("u4")), TWELVE.astype("u4"), TWELVE),
}  # fmt: skip


@pytest.mark.parametrize("case", READERS)
@pytest.mark.parametrize("kind", ["own type", "float32", "float64"])
def test_values_of_either_reader_give_the_file(tmp_path: Path, case: str, kind: str) -> None:
    dataset, *handed_out = READERS[case]
    path = save(dataset, tmp_path / "x.dcm")
    for array in handed_out:
        if array is not None:
            array = array if kind == "own type" else array.astype(kind)
            assert_same(from_volume(path, array), read_radiograph(path))
            assert_same(from_volume(path, array[None]), read_radiograph(path))


def test_overrides_are_those_of_the_file(tmp_path: Path) -> None:
    path = save(data_set(TWELVE, **TAGS, **WINDOW, PixelSpacing=[0.2, 0.3]), tmp_path / "x.dcm")
    for overrides in ({"rotate": 90}, {"flip": "vertical"}, {"invert": True}, {"rotate": 0, "invert": False}):
        assert_same(from_volume(path, TWELVE, (0.2, 0.3), **overrides), read_radiograph(path, **overrides))  # type: ignore[arg-type]


def test_lossy_files_may_differ_by_a_step(tmp_path: Path) -> None:
    """Decoders of lossy JPEG round differently; that is no edit."""
    eight = cv2.GaussianBlur(grey_picture(96, 80, 255, "u1"), (0, 0), 2)
    dataset = data_set(eight)
    ok, jpeg = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert ok
    dataset.PixelData = encapsulate([jpeg.tobytes()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    path = save(dataset, tmp_path / "x.dcm")
    decoded = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    wobble = np.random.default_rng(3).integers(-1, 2, decoded.shape)
    other = np.clip(decoded.astype(int) + wobble, 0, 255).astype("u1")
    assert_same(from_volume(path, other), read_radiograph(path))
    lossless = save(data_set(decoded), tmp_path / "y.dcm")
    assert "volume-differs" in codes(from_volume(lossless, other))


@pytest.mark.parametrize("placement", EVERY_PLACEMENT, ids=str)
def test_turned_in_the_scene(tmp_path: Path, placement: Placement) -> None:
    path = save(
        data_set(TWELVE, **TAGS, PhotometricInterpretation="MONOCHROME1", ImagerPixelSpacing=[0.2, 0.3]), tmp_path / "x"
    )
    spacing = (0.3, 0.2) if placement.quarter_turns % 2 else (0.2, 0.3)
    radiograph = from_volume(path, np.ascontiguousarray(placement.apply(4095 - TWELVE)), spacing)
    expected = read_radiograph(path).turned(placement.mirrored, placement.quarter_turns)
    np.testing.assert_array_equal(radiograph.pixels, expected.pixels)
    assert (radiograph.placement, radiograph.spacing_mm) == (placement, expected.spacing_mm)
    assert ("volume-turned" in codes(radiograph)) == (placement != Placement())


@pytest.mark.parametrize("cosines", [[1, 0, 0, 0, 0, -1], [-1, 0, 0, 0, 0, -1], [0, -1, 0, 1, 0, 0]])
def test_a_layout_that_the_reader_took_from_the_header_is_no_turn(tmp_path: Path, cosines: list[int]) -> None:
    path = save(data_set(TWELVE, **TAGS, ImageOrientationPatient=cosines), tmp_path / "x.dcm")
    laid_out = placement_of_axes(np.array(cosines, float).reshape(2, 3).T).apply(TWELVE)
    for array in (TWELVE, np.ascontiguousarray(laid_out)):
        assert_same(from_volume(path, array), read_radiograph(path))


@pytest.mark.parametrize("placement", [Placement(), Placement(True, 1), Placement(False, 2)], ids=str)
@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
def test_a_part_is_that_part_of_the_file(tmp_path: Path, placement: Placement, polarity: str) -> None:
    big = grey_picture(200, 170)
    path = save(data_set(big, **TAGS, PhotometricInterpretation=polarity, ImagerPixelSpacing=[0.2, 0.3]), tmp_path / "x.dcm")
    part = np.s_[37:150, 20:117]
    volume = placement.apply((4095 - big if polarity == "MONOCHROME1" else big)[part])
    spacing = (0.3, 0.2) if placement.quarter_turns % 2 else (0.2, 0.3)
    radiograph, whole = from_volume(path, np.ascontiguousarray(volume), spacing), read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, placement.apply(whole.pixels[part]))
    assert radiograph.spacing_mm == spacing and radiograph.source.sha256 == ""
    assert radiograph.source.stored_shape == (113, 97) and radiograph.view == "PA"
    assert "rows 38 to 150 of 200, columns 21 to 117 of 170" in note(radiograph, "volume-differs")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    top=st.integers(0, 60), left=st.integers(0, 50), size=st.integers(1, 30), value=st.integers(0, 4095),
    polarity=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]), slope=st.sampled_from([None, 2.0, 0.5]), windowed=st.booleans(),
)  # fmt: skip
def test_edits_show_and_leave_the_rest_alone(
    tmp_path: Path, top: int, left: int, size: int, value: int, polarity: str, slope: float | None, windowed: bool
) -> None:
    tags = {} if slope is None else {"RescaleSlope": slope, "RescaleIntercept": 3}
    window = {"WindowCenter": 2000 * (slope or 1), "WindowWidth": 3000 * (slope or 1)} if windowed else {}
    dataset = data_set(TWELVE, **TAGS, **tags, **window, PhotometricInterpretation=polarity, PixelSpacing=[0.2, 0.2])
    path = save(dataset, tmp_path / "x.dcm")
    stored = TWELVE.copy()
    box = np.s_[top : top + size, left : left + size]
    if (stored[box] == value).all():
        return
    stored[box] = value
    volume = (4095 - stored if polarity == "MONOCHROME1" else stored) * (slope or 1) + (0 if slope is None else 3)
    radiograph = from_volume(path, volume if slope else volume.astype("u2"))
    dataset.PixelData = stored.tobytes()
    if windowed:  # percentiles would be those of the edited image
        np.testing.assert_array_equal(radiograph.pixels, read_radiograph(save(dataset, tmp_path / "y.dcm")).pixels)
    untouched = np.ones(stored.shape, bool)
    untouched[box] = False
    np.testing.assert_array_equal(radiograph.pixels[untouched], read_radiograph(path).pixels[untouched])
    assert "edited" in note(radiograph, "volume-differs")
    assert radiograph.spacing_mm == (0.2, 0.2) and radiograph.source.sha256 == ""


@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("stated", [True, False])
def test_resampled_volumes_keep_window_and_polarity(tmp_path: Path, polarity: str, stated: bool) -> None:
    big = grey_picture(240, 200)
    tags = (
        {"ImagerPixelSpacing": [0.2, 0.2], "DistanceSourceToDetector": 1800, "DistanceSourceToPatient": 1500} if stated else {}
    )
    dataset = data_set(big, **TAGS, **WINDOW, **tags, PhotometricInterpretation=polarity)
    path = save(dataset, tmp_path / "x.dcm")
    small = cv2.resize(big, (100, 120), interpolation=cv2.INTER_AREA)
    # A reader who knows no size says 1 mm, and resampling makes 2 mm of it.
    spacing = (0.4, 0.4) if stated else (2.0, 2.0)
    radiograph = from_volume(path, 4095 - small if polarity == "MONOCHROME1" else small, spacing)
    expected = cv2.resize(read_radiograph(path).pixels, (100, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(radiograph.pixels - expected).mean() < 0.01
    assert "resampled" in note(radiograph, "volume-differs") and radiograph.view == "PA"
    assert radiograph.spacing_mm == (pytest.approx((0.4 / 1.2, 0.4 / 1.2)) if stated else None)
    assert radiograph.spacing_source == ("magnification" if stated else "unknown")
    for said in (None, (0.2, 0.2) if stated else (1.0, 1.0)):  # resampled without telling the volume
        assert from_volume(path, 4095 - small if polarity == "MONOCHROME1" else small, said).spacing_mm == radiograph.spacing_mm


def test_inverted_by_hand_stays_inverted(tmp_path: Path) -> None:
    """In a MONOCHROME2 file no reader inverts, so somebody meant it."""
    path = save(data_set(TWELVE, **TAGS, **WINDOW, PatientSex="M"), tmp_path / "x.dcm")
    radiograph = from_volume(path, 4095 - TWELVE)
    assert np.corrcoef(radiograph.pixels.ravel(), read_radiograph(path).pixels.ravel())[0, 1] < -0.9
    assert "which end is white" in note(radiograph, "volume-differs")
    assert {"outside-population"} <= codes(radiograph) and radiograph.site == "CHEST"


def test_another_picture_takes_whom_and_what_from_the_header(tmp_path: Path) -> None:
    path = save(data_set(TWELVE, **TAGS, **WINDOW, PixelSpacing=[0.2, 0.2]), tmp_path / "x.dcm")
    other = grey_picture(80, 90, top=30000, seed=5)
    radiograph = from_volume(path, other, (0.7, 0.7))
    np.testing.assert_array_equal(radiograph.pixels, radiograph_from_array(other).pixels)
    assert (radiograph.view, radiograph.site, radiograph.spacing_mm) == ("PA", "CHEST", None)
    assert radiograph.source.sop_instance_uid and radiograph.source.sha256 == ""
    text = note(radiograph, "volume-differs")
    assert "not those of its DICOM file" in text and "grey-value window, the size of a pixel" in text
    same_size = from_volume(path, other, (0.2, 0.2))
    assert (same_size.spacing_mm, same_size.spacing_source) == ((0.2, 0.2), "detector")
    assert "size of a pixel" not in note(same_size, "volume-differs") and "spacing-uncalibrated" in codes(same_size)
    turned = from_volume(path, other, None, invert=True, rotate=90)
    assert turned.placement == Placement(False, 1, True) and turned.spacing_mm is None
    np.testing.assert_allclose(turned.pixels, np.rot90(1 - radiograph.pixels), atol=1e-6)


@pytest.mark.parametrize(
    ("tags", "reader_says", "meaning"),
    [
        ({"PixelSpacing": [0.2, 0.2]}, None, "detector"),  # GDCM knows no spacing for some classes
        ({"ImagerPixelSpacing": [0.2, 0.3]}, (0.3, 0.2), "detector"),  # DCMTK swaps them
        ({"ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 1.1}, (0.2, 0.2), "magnification"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18], "PixelSpacingCalibrationType": "GEOMETRY"}, (0.2, 0.2), "calibrated"),
        ({"PixelSpacing": [0.0, 0.0]}, None, "unknown"),
        ({"PixelAspectRatio": [3, 2]}, (1.5, 1.0), "unknown"),
        ({}, None, "unknown"),
    ],
)  # fmt: skip
def test_spacing_means_what_the_header_says(
    tmp_path: Path, tags: dict[str, object], reader_says: tuple[float, float] | None, meaning: str
) -> None:
    path = save(data_set(TWELVE, sop_class=CR, modality="CR", **TAGS, **tags), tmp_path / "x.dcm")
    assert_same(from_volume(path, TWELVE, reader_says), read_radiograph(path))
    assert from_volume(path, TWELVE, reader_says).spacing_source == meaning


@pytest.mark.parametrize("tags", [{}, {"PixelSpacing": [0.2, 0.2]}])
def test_a_spacing_set_in_the_scene_is_taken(tmp_path: Path, tags: dict[str, object]) -> None:
    path = save(data_set(TWELVE, sop_class=SC, modality="CR", **TAGS, **tags), tmp_path / "x.dcm")
    radiograph = from_volume(path, TWELVE, (0.143, 0.143))
    assert radiograph.spacing_mm == (0.143, 0.143) and radiograph.spacing_source == "file header"
    assert "spacing-of-scene" in codes(radiograph) and not {"no-spacing", "spacing-uncalibrated"} & codes(radiograph)
    np.testing.assert_array_equal(radiograph.pixels, read_radiograph(path).pixels)


@pytest.mark.parametrize("gone", ["", "missing.dcm", "folder", "picture.png", "empty.dcm", "cut.dcm"])
def test_without_header_a_badge_names_what_is_unknown(tmp_path: Path, gone: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM")
    cv2.imwrite(str(tmp_path / "picture.png"), grey_picture(96, 80, 255, "u1"))
    header_path = gone and str(tmp_path / gone)
    radiograph = radiograph_from_volume(TWELVE, None, header_path, name="Chest")
    np.testing.assert_array_equal(radiograph.pixels, radiograph_from_array(TWELVE).pixels)
    badge = radiograph.notes[0]
    assert (badge.code, badge.severity) == ("no-header", "warning")
    for fact in ("which end is white", "window", "view", "body part", "patient"):
        assert fact in badge.text
    assert "spacing" not in badge.text and "no-spacing" in codes(radiograph) and radiograph.spacing_mm is None
    assert (radiograph.view, radiograph.site, radiograph.spacing_source) == ("", "", "unknown")
    known = radiograph_from_volume(TWELVE, (0.2, 0.3), header_path, name="Chest", rotate=90, invert=True)
    assert "whether its pixel spacing is the detector's or the patient's" in known.notes[0].text
    assert known.spacing_mm == (0.3, 0.2) and known.placement == Placement(False, 1, True)
    np.testing.assert_allclose(known.pixels, np.rot90(1 - radiograph.pixels), atol=1e-6)
    assert [one.code for one in known.notes].count("placed-by-hand") == 1


def test_a_header_whose_pixels_cannot_be_decoded_still_names_the_patient(tmp_path: Path) -> None:
    dataset = data_set(TWELVE, **TAGS, PhotometricInterpretation="MONOCHROME1", PatientSex="F", PatientAge="030Y")
    dataset.compress(JPEG2000Lossless)
    dataset.PixelData = dataset.PixelData[:200] + bytes(len(dataset.PixelData) - 200)
    path = save(dataset, tmp_path / "x.dcm")
    with pytest.raises(InputError):
        read_radiograph(path)
    radiograph = from_volume(path, 4095 - TWELVE)
    assert "cannot be compared" in note(radiograph, "volume-differs") and radiograph.view == "PA"
    assert radiograph.source.patient_age == "030Y" and "outside-population" in codes(radiograph)
    np.testing.assert_array_equal(radiograph.pixels, radiograph_from_array(4095 - TWELVE).pixels)


def other_object() -> FileDataset:
    return data_set(TWELVE, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.full((96, 80), 7, "u2"), "constant"), (np.full((96, 80), np.nan), "not-finite"), (TWELVE[:20], "too-small"),
        (np.stack([TWELVE, TWELVE]), "volume"), (TWELVE.astype(complex), "unsupported-pixels"), (TWELVE, "not-a-radiograph"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, array: np.ndarray, code: str) -> None:
    path = save(other_object(), tmp_path / "x.dcm")
    with pytest.raises(InputError) as caught:
        from_volume(path, array)
    assert caught.value.code == code


def test_edits_of_wide_pixels_are_seen(tmp_path: Path) -> None:
    """More than 16 bits have no table of grey values to go back through: the volume's values are shown by themselves."""
    path = save(data_set(TWELVE.astype("u4"), ViewPosition="PA"), tmp_path / "x.dcm")
    edited = TWELVE.astype("u4")
    edited[10:30, 10:30] = 9
    radiograph = from_volume(path, edited)
    np.testing.assert_array_equal(radiograph.pixels, radiograph_from_array(edited).pixels)
    assert "volume-differs" in codes(radiograph) and radiograph.view == "PA"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_headers_never_stop_more_than_one_sentence_says(data: st.DataObject, tmp_path: Path) -> None:
    """Bytes changed or cut anywhere in the header's file: a Radiograph or one sentence, never another exception."""
    dataset = data_set(TWELVE, **TAGS, **WINDOW, RescaleSlope=2, RescaleIntercept=-3, ImagerPixelSpacing=[0.2, 0.3])
    content = bytearray(bytes_of(dataset))
    for position in data.draw(st.lists(st.integers(128, 1200), max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path / "damaged.dcm"
    path.write_bytes(bytes(content))
    array = data.draw(
        st.sampled_from([TWELVE * np.int16(2) - np.int16(3), TWELVE, TWELVE[5:80, 3:70], TWELVE.T, grey_picture(70, 90)])
    )
    try:
        radiograph = from_volume(path, array, data.draw(st.sampled_from([None, (0.2, 0.3), (7.0, 1e-9)])))
    except InputError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
    else:
        assert np.isfinite(radiograph.pixels).all() and radiograph.shape == array.shape
