"""Overrides, arrays in memory, and what holds for every image: turned and inverted copies give turned and inverted pixels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from radiograph.synthetic import bytes_of, codes, data_set, grey_picture, save

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.dicom import parse_dicom
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.radiograph import Placement, Source
from OsteoScreenLib.radiograph.read import radiograph_from_array, read_dataset, read_radiograph

EIGHT = grey_picture(120, 100, top=255, dtype="u1")


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "x.png"
    Image.fromarray(EIGHT).save(path)
    return path


@pytest.mark.parametrize("rotate", [None, 0, 90, 180, 270])
@pytest.mark.parametrize("flip", [None, "horizontal", "vertical"])
def test_overrides_flip_then_turn(png: Path, rotate: int | None, flip: str | None) -> None:
    flipped = {None: EIGHT, "horizontal": np.fliplr(EIGHT), "vertical": np.flipud(EIGHT)}[flip]
    expected = np.rot90(flipped, (rotate or 0) // 90) / 255
    radiograph = read_radiograph(png, rotate=rotate, flip=flip)
    np.testing.assert_allclose(radiograph.pixels, expected, atol=1e-6)
    np.testing.assert_allclose(radiograph.placement.apply(EIGHT), np.rint(expected * 255))
    assert ("placed-by-hand" in codes(radiograph)) == (rotate is not None or flip is not None)
    assert radiograph.pixels.flags.c_contiguous


def test_inversion_is_recorded(png: Path) -> None:
    radiograph = read_radiograph(png, invert=True)
    np.testing.assert_allclose(radiograph.pixels, 1 - EIGHT / 255, atol=1e-6)
    assert radiograph.placement == Placement(inverted=True)
    kept = read_radiograph(png, invert=False, rotate=0)
    np.testing.assert_allclose(kept.pixels, EIGHT / 255, atol=1e-6)
    assert kept.placement == Placement()
    assert "confirmed by hand" in next(note.text for note in kept.notes if note.code == "placed-by-hand")


def test_inversion_counts_against_the_header() -> None:
    dataset = data_set(grey_picture(), PhotometricInterpretation="MONOCHROME1", WindowCenter=2048, WindowWidth=4096)
    by_header, against = read_dataset(dataset).pixels, read_dataset(dataset, invert=True).pixels
    np.testing.assert_allclose(against, 1 - by_header, atol=1e-7)


@pytest.mark.parametrize(
    ("override", "code"),
    [({"rotate": 45}, "bad-rotation"), ({"rotate": 360}, "bad-rotation"), ({"rotate": True}, "bad-rotation"),
     ({"flip": "sideways"}, "bad-flip"), ({"flip": ""}, "bad-flip"), ({"invert": "yes"}, "bad-inversion")],
)  # fmt: skip
def test_bad_overrides(png: Path, override: dict[str, object], code: str) -> None:
    for read in (lambda: read_radiograph(png, **override), lambda: radiograph_from_array(EIGHT, **override)):  # type: ignore[arg-type]
        with pytest.raises(InputError) as caught:
            read()
        assert caught.value.code == code


images = st.builds(
    grey_picture,
    rows=st.integers(64, 110),
    columns=st.integers(64, 110),
    top=st.sampled_from([60, 200, 255]),
    dtype=st.just("u1"),
    seed=st.integers(0, 1000),
)
frames = st.integers(0, 12)


@settings(max_examples=40, deadline=None)
@given(image=images, frame=frames, turns=st.integers(0, 3), mirrored=st.booleans(), wide=st.booleans())
def test_turned_copies_give_turned_pixels(image: np.ndarray, frame: int, turns: int, mirrored: bool, wide: bool) -> None:
    array = np.pad(image, ((frame, 0), (0, 2 * frame)))
    array = array.astype("u2") * 37 if wide else array
    turned = np.ascontiguousarray(Placement(mirrored, turns).apply(array))
    for read in (lambda a: radiograph_from_array(a), lambda a: read_dataset(data_set(a))):
        np.testing.assert_array_equal(read(turned).pixels, Placement(mirrored, turns).apply(read(array).pixels))


@settings(max_examples=40, deadline=None)
@given(image=images, frame=frames, kind=st.sampled_from(["u1", "u2", "i2", "f4", "unit"]))
def test_inverted_copies_read_inverted_give_the_same(image: np.ndarray, frame: int, kind: str) -> None:
    array = np.pad(image, ((frame, 0), (0, 2 * frame)))
    if kind == "u1":
        inverted = 255 - array
    elif kind == "u2":
        array = array.astype("u2") * 200
        inverted = 65535 - array
    elif kind == "i2":
        array = array.astype("i2") * 100 - np.int16(5000)
        inverted = np.int16(-1) - array
    else:
        array = array.astype("f4") / np.float32(255 if kind == "unit" else 0.1)
        inverted = (1 if kind == "unit" else 0) - array
    np.testing.assert_allclose(
        radiograph_from_array(inverted, invert=True).pixels, radiograph_from_array(array).pixels, atol=1e-6
    )
    if kind in {"u1", "u2", "i2"}:
        np.testing.assert_allclose(
            read_dataset(data_set(inverted), invert=True).pixels, read_dataset(data_set(array)).pixels, atol=1e-6
        )


@settings(max_examples=30, deadline=None)
@given(image=images, turns=st.integers(0, 3), mirrored=st.booleans(), flip=st.sampled_from([None, "horizontal", "vertical"]))
def test_overrides_undo_what_was_done_to_a_copy(image: np.ndarray, turns: int, mirrored: bool, flip: str | None) -> None:
    copy = np.ascontiguousarray(Placement(flip is not None, turns + 2 * (flip == "vertical")).undo(image))
    upright = radiograph_from_array(copy, rotate=turns * 90, flip=flip)
    np.testing.assert_array_equal(upright.pixels, radiograph_from_array(image).pixels)


def test_arrays_keep_what_is_known_about_them() -> None:
    source = Source(sop_instance_uid="1.2.3", format="DICOM")
    radiograph = radiograph_from_array(
        grey_picture(), (0.2, 0.1), spacing_source="detector", window=(2000, 3000), view="PA", site="CHEST", source=source
    )
    assert (radiograph.view, radiograph.site, radiograph.spacing_source) == ("PA", "CHEST", "detector")
    assert radiograph.source.sop_instance_uid == "1.2.3" and radiograph.source.stored_shape == (96, 80)
    assert "no-dicom" not in codes(radiograph) and "no-dicom" in codes(radiograph_from_array(grey_picture()))
    np.testing.assert_allclose(radiograph.pixels, np.clip((grey_picture() - 2000.0) / 3000 + 0.5, 0, 1), atol=1e-6)


def test_arrays_as_volumes_come() -> None:
    array = grey_picture()
    expected = radiograph_from_array(array).pixels
    for given_array in (array[None], array[..., None], np.asfortranarray(array), array.astype(">u2"), array[::1]):
        np.testing.assert_array_equal(radiograph_from_array(given_array).pixels, expected)
    np.testing.assert_array_equal(radiograph_from_array(array, white_is_zero=True).pixels, np.float32(1) - expected)
    unit = (array / array.max()).astype(np.float32)
    np.testing.assert_allclose(radiograph_from_array(unit).pixels, unit, atol=1e-7)


def test_a_known_square_stays_where_it_is(tmp_path: Path) -> None:
    array = np.zeros((300, 200), "u2")
    array[40:60, 120:150] = 4000
    radiograph = read_radiograph(save(data_set(array), tmp_path / "x"), rotate=90)
    rows, columns = np.nonzero(radiograph.pixels == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (200 - 150, 200 - 121, 40, 59)
    assert set(np.unique(radiograph.pixels)) == {0, 1}


@pytest.mark.parametrize("mark", [b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"])
def test_the_mark_of_an_item_outside_of_a_sequence_is_no_element(mark: bytes, tmp_path: Path) -> None:
    """pydicom keeps it as an element that nobody can decode, and every look at all elements ended there."""
    whole = bytes_of(data_set(grey_picture()))
    at = whole.index(b"\x28\x00\x02\x00US")
    (tmp_path / "marked").write_bytes(whole[:at] + mark + bytes(4) + whole[at:])
    dataset = parse_dicom((tmp_path / "marked").read_bytes(), "marked")
    assert all(element.tag.group != 0xFFFE for element in dataset.iterall())
    (tmp_path / "whole").write_bytes(whole)
    np.testing.assert_array_equal(read_radiograph(tmp_path / "marked").pixels, read_radiograph(tmp_path / "whole").pixels)


def test_two_readers_at_once_and_a_closed_terminal() -> None:
    """Silence nests, ends, and does not mind a missing standard error."""
    program = (
        "import os, sys\n"
        "from OsteoScreenLib.radiograph.quiet import quiet\n"
        "with quiet():\n"
        "    with quiet():\n"
        "        os.write(2, b'inner')\n"
        "    os.write(2, b'outer')\n"
        "os.write(2, b'after')\n"
        "os.close(2)\n"
        "with quiet():\n"
        "    pass\n"
    )
    library = Path(__file__).resolve().parent.parent.parent / "OsteoScreen"
    environment = {**os.environ, "PYTHONPATH": str(library)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True)
    assert done.stderr == b"after"
    with quiet():
        pass


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """One small sound file of each kind, as bytes."""
    import SimpleITK
    from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless
    from radiograph.synthetic import bytes_of

    folder = tmp_path_factory.mktemp("sound")
    array = grey_picture(70, 66, top=255, dtype="u1")
    tags = {
        "WindowCenter": 128,
        "WindowWidth": 256,
        "PatientAge": "060Y",
        "ImagerPixelSpacing": [0.1, 0.1],
        "ViewPosition": "PA",
    }
    files = [bytes_of(data_set(array, **tags)), bytes_of(data_set(array, syntax=DeflatedExplicitVRLittleEndian))]
    for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
        dataset = data_set(array, PatientOrientation=["L", "F"])
        dataset.compress(syntax)
        files.append(bytes_of(dataset))
    for kind in ("PNG", "JPEG", "TIFF", "GIF"):
        Image.fromarray(array).save(folder / "x", kind)
        files.append((folder / "x").read_bytes())
    for suffix in (".nrrd", ".nii", ".nii.gz", ".mha"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(folder / f"x{suffix}"))
        files.append((folder / f"x{suffix}").read_bytes())
    return files


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject, sound_files: list[bytes], tmp_path: Path) -> None:
    """Bytes changed, cut or doubled anywhere: a Radiograph or one sentence, never another exception."""
    content = bytearray(data.draw(st.sampled_from(sound_files)))
    header = min(len(content), 1200)
    for position in data.draw(st.lists(st.integers(0, header - 1) | st.integers(0, len(content) - 1), max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path / "damaged"
    path.write_bytes(bytes(content))
    try:
        radiograph = read_radiograph(path)
    except InputError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
    else:
        assert np.isfinite(radiograph.pixels).all() and radiograph.pixels.min() >= 0 and radiograph.pixels.max() <= 1
