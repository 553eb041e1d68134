"""De-identified copies: the same picture, and nothing of the header that is not needed for it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from radiograph.synthetic import SC, codes, data_set, grey_picture, save

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.review.deidentify import write_copy

WINDOW = {"WindowCenter": 2000, "WindowWidth": 3500}
# All text that a copy of these files may hold.
ALLOWED = {"C-00001", "P-00001", "YES", "OsteoScreen: rewritten with what reading the image needs"}


def copied(dataset: FileDataset, folder: Path) -> tuple[Path, Path]:
    original = save(dataset, folder / "Nightingale")
    return original, write_copy(original, folder, "C-00001", "P-00001")


def assert_same(original: Path, copy: Path) -> None:
    one, other = read_radiograph(original), read_radiograph(copy)
    np.testing.assert_array_equal(other.pixels, one.pixels)
    assert (other.spacing_mm, other.spacing_source, other.view, other.site) == (
        one.spacing_mm,
        one.spacing_source,
        one.view,
        one.site,
    )
    assert codes(other) - {"stretched"} == codes(one) - {"stretched"}


def table(first: int, entries: np.ndarray, bits: int = 16) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [entries.size % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    item.LUTExplanation = "Nightingale's table"
    return item


KINDS: dict[str, dict[str, Any]] = {
    "window": WINDOW,
    "several windows, one unusable": {"WindowCenter": [2000, 1000], "WindowWidth": [0, 2500]},
    "sigmoid": {**WINDOW, "VOILUTFunction": "SIGMOID"},
    "fractions": {"RescaleSlope": "0.333333333333333", "RescaleIntercept": "-7.77777777777", "WindowCenter": "600.12345678", "WindowWidth": "1234.567"},
    "monochrome 1": {**WINDOW, "PhotometricInterpretation": "MONOCHROME1"},
    "inverse": {**WINDOW, "PresentationLUTShape": "INVERSE"},
    "no window": {},
    "voi table": {"VOILUTSequence": Sequence([table(0, np.linspace(0, 1023, 4096) ** 1.0, 10)])},
    "modality table": {"ModalityLUTSequence": Sequence([table(0, 4095 - np.arange(4096))]), **WINDOW},
    "padding": {**WINDOW, "PixelPaddingValue": 0, "PixelPaddingRangeLimit": 200},
    "shutter": {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [48, 40], "RadiusOfCircularShutter": 35},
    "collimator": {"CollimatorShape": ["RECTANGULAR", "POLYGONAL"], "CollimatorUpperHorizontalEdge": 5, "CollimatorLowerHorizontalEdge": 90,
                   "CollimatorLeftVerticalEdge": 4, "CollimatorRightVerticalEdge": 70,
                   "VerticesOfThePolygonalCollimator": [3, 3, 3, 75, 90, 75, 90, 3]},
    "detector spacing": {**WINDOW, "ImagerPixelSpacing": [0.143, 0.15], "DistanceSourceToDetector": 1800, "DistanceSourceToPatient": 1600},
    "calibrated": {**WINDOW, "PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"},
    "words": {**WINDOW, "ViewPosition": "LL", "BodyPartExamined": "THORAX", "PatientOrientation": ["R", "H"], "PatientSex": "M",
              "PatientAge": "044Y", "BurnedInAnnotation": "YES", "PresentationIntentType": "FOR PROCESSING"},
    "free text": {**WINDOW, "StudyDescription": "Thorax PA mobile for Nightingale", "SeriesDescription": "bedside"},
    "animal": {**WINDOW, "PatientSpeciesDescription": "Canine Nightingale"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_copies_read_alike(tmp_path: Path, kind: str) -> None:
    assert_same(*copied(data_set(grey_picture(), BitsStored=12, HighBit=11, **KINDS[kind]), tmp_path))


@pytest.mark.parametrize(
    "syntax",
    [
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
def test_transfer_syntaxes(tmp_path: Path, syntax: pydicom.uid.UID, kind: str) -> None:
    array = grey_picture(top=255 if kind == "u1" else 4095).astype(kind)
    if kind == "i2":
        array -= np.int16(2048)
    tags: dict[str, Any] = {} if kind == "u1" else {"BitsStored": 12, "HighBit": 11, "WindowCenter": 500, "WindowWidth": 3000}
    if syntax.is_encapsulated:
        dataset = data_set(array, **tags)
        dataset.compress(syntax)
    else:
        dataset = data_set(array, syntax=syntax, **tags)
    assert_same(*copied(dataset, tmp_path))


def test_colour_wide_pixels_and_high_bits(tmp_path: Path) -> None:
    grey = grey_picture(top=255, dtype="u1", rows=97, columns=81)
    assert_same(*copied(data_set(np.stack([grey] * 3, axis=-1), sop_class=SC, modality="OT"), tmp_path))
    assert_same(*copied(data_set(grey_picture(top=2**20).astype("u4")), tmp_path))
    overlaid = grey_picture() << 3  # 12 bits, the highest at 14, and an old overlay below
    overlaid[20:30, 20:30] |= 1
    original, copy = copied(data_set(overlaid, BitsStored=12, HighBit=14, **WINDOW), tmp_path)
    assert_same(original, copy)
    assert (pydicom.dcmread(original).pixel_array & 1).any() and not (pydicom.dcmread(copy).pixel_array >> 12).any()


def test_comments_in_a_codec_are_gone(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(grey_picture(top=255, dtype="u1")).save(stream, "JPEG", quality=90, comment=b"Nightingale")
    dataset = data_set(grey_picture(top=255, dtype="u1"), WindowCenter=128, WindowWidth=256)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    original, copy = copied(dataset, tmp_path)
    assert b"Nightingale" in original.read_bytes() and b"Nightingale" not in copy.read_bytes()
    assert_same(original, copy)
    assert "lossy" in codes(read_radiograph(copy))


def test_nothing_but_a_list_of_attributes(tmp_path: Path) -> None:
    """Every text element of the standard's dictionary is filled with a name; none of it may come out."""
    dataset = data_set(grey_picture(), BitsStored=12, HighBit=11, **WINDOW)
    dataset.SOPInstanceUID = dataset.StudyInstanceUID = "1.2.826.0.1.17"
    with pydicom.config.disable_value_validation():
        for tag, (kind, _, _, _, keyword) in pydicom.datadict.DicomDictionary.items():
            standing = {"SOPClassUID", "Modality", "PhotometricInterpretation", "SpecificCharacterSet"}
            if kind in {"LO", "PN", "SH", "ST", "LT", "UT", "UC", "CS", "AE"} and keyword not in standing and tag >> 16 > 2:
                dataset.add_new(tag, kind, "NIGHTING")
            elif kind in {"DA", "TM", "DT"}:
                dataset.add_new(tag, kind, "19200512")
        dataset.add_new(0x00091001, "LO", "NIGHTING")
        dataset.PatientAge, dataset.PatientSex = "097Y", "F"
        original, copy = copied(dataset, tmp_path)
    assert original.read_bytes().count(b"NIGHTING") > 1000
    written = copy.read_bytes()
    for secret in (b"NIGHTING", b"Nightingale", b"19200512", b"1.2.826.0.1.17", b"097Y"):
        assert secret not in written
    header = pydicom.dcmread(copy)
    text = {str(element.value) for element in header if element.VR in {"LO", "PN", "SH", "CS", "LT"}}
    assert text - {""} <= ALLOWED | {"DX", "F", "MONOCHROME2", "ANIMAL"}
    assert (header.PatientName, header.PatientID, header.PatientAge) == ("C-00001", "P-00001", "090Y")
    assert not any(element.tag.is_private for element in header)
    assert header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID
    np.testing.assert_array_equal(read_radiograph(copy).pixels, read_radiograph(original).pixels)


def test_a_name_in_the_place_of_a_view_or_a_body_part(tmp_path: Path) -> None:
    _, copy = copied(data_set(grey_picture(), ViewPosition="SMITH", BodyPartExamined="MRS SMITH", **WINDOW), tmp_path)
    assert b"SMITH" not in copy.read_bytes()


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "deep.png", "clear.png", "turned.jpg", "x.nii.gz", "x.mha"])
def test_pictures_and_volumes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    small, deep = grey_picture(top=255, dtype="u1"), grey_picture(top=60000)
    picture = Image.fromarray(deep if name == "deep.png" else small)
    if name == "clear.png":
        picture = picture.convert("LA")
        picture.putalpha(Image.fromarray(np.where(np.arange(96)[:, None] < 9, 0, 255).astype("u1") + np.zeros_like(small)))
    if name in {"x.nii.gz", "x.mha"}:
        volume = SimpleITK.GetImageFromArray(deep[None].astype("i4"))
        volume.SetSpacing((0.2, 0.3, 1))
        volume.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
        volume.SetMetaData("Nightingale", "Florence")
        SimpleITK.WriteImage(volume, str(path))
    elif name.endswith(".jpg"):
        exif = Image.Exif()
        exif[0x010E] = "Nightingale"
        if name == "turned.jpg":
            exif[0x0112] = 6
        picture.save(path, exif=exif)
    elif name.endswith(".tif"):
        picture.save(path, description="Nightingale", dpi=(200, 200))
    else:
        picture.save(path)
    copy = write_copy(path, tmp_path, "C-00001")
    one, other = read_radiograph(path), read_radiograph(copy)
    np.testing.assert_array_equal(other.pixels, one.pixels)
    assert other.spacing_mm == one.spacing_mm and copy.name == "C-00001.nrrd"
    assert b"Nightingale" not in copy.read_bytes()


def test_what_would_read_differently_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from OsteoScreenLib.review import deidentify

    monkeypatch.setattr(deidentify, "_put_display", lambda *_: None)
    with pytest.raises(InputError, match="without its header") as caught:
        copied(data_set(grey_picture(), BitsStored=12, HighBit=11, **WINDOW), tmp_path)
    assert caught.value.code == "copy-differs" and not (tmp_path / "C-00001.dcm").exists()


@pytest.mark.parametrize(
    "name",
    [
        "chest_pa_cr_8bit_jpeg.dcm", "chest_cr_monochrome1_10bit.dcm", "chest_pa_j2k_pixelspacing_zero.dcm", "chest_dx_pa_12bit_j2k.dcm",
        "chest_dx_inverted_upside_down_16bit.dcm", "hip_j2k_lossless.dcm", "panoramic_modality_lut.dcm", "tibia_rle.dcm",
        "animal_lateral_thorax.dcm", "chest_nih_00000001.png",
    ],
)  # fmt: skip
def test_real_radiographs(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "radiographs" / name
    copy = write_copy(path, tmp_path, "C-00001", "P-00001")
    one, other = read_radiograph(path), read_radiograph(copy)
    np.testing.assert_array_equal(other.pixels, one.pixels)
    assert (other.spacing_mm, other.view) == (one.spacing_mm, one.view) and other.site in (one.site, "")
    if path.suffix != ".dcm":
        return
    left = {"bits-stored-disagrees", "several-windows", "stretched"}
    assert codes(other) - left == codes(one) - left
    header, written = pydicom.dcmread(path), copy.read_bytes()
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "StudyDate",
        "StudyInstanceUID",
        "SOPInstanceUID",
        "InstitutionName",
    ):
        value = str(header.get(keyword, "") or "")
        assert len(value) < 3 or value.encode() not in written, keyword
