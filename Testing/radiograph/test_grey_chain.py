"""Stored value → mask and sign → modality → VOI → polarity, against the standard's formulas."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from radiograph.synthetic import DX, SC, codes, data_set, grey_picture

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.read import read_dataset


def linear(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, written down from its pseudo-code for an output range of 0 to 1."""
    out = (values - (center - 0.5)) / (width - 1) + 0.5
    out = np.where(values <= center - 0.5 - (width - 1) / 2, 0, out)
    return np.where(values > center - 0.5 + (width - 1) / 2, 1, out)


def lut_item(entries: np.ndarray, first: int, bits: int = 16, packed: bool = False, first_vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", first_vr, [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("u1" if packed else "<u2").tobytes())
    return Sequence([item])


def test_linear_window() -> None:
    array = grey_picture()
    shown = read_dataset(data_set(array, BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=3000))
    np.testing.assert_allclose(shown.pixels, linear(array.astype(float), 2000, 3000), atol=1e-6)
    assert shown.pixels.dtype == np.float32
    assert not codes(shown) & {"no-window", "degenerate-window", "several-windows"}


def test_exact_and_sigmoid_windows() -> None:
    array = grey_picture()
    tags = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2000, "WindowWidth": 3000}
    exact = read_dataset(data_set(array, VOILUTFunction="LINEAR_EXACT", **tags))
    np.testing.assert_allclose(exact.pixels, np.clip((array - 2000.0) / 3000 + 0.5, 0, 1), atol=1e-6)
    sigmoid = read_dataset(data_set(array, VOILUTFunction="SIGMOID", **tags))
    np.testing.assert_allclose(sigmoid.pixels, 1 / (1 + np.exp(-4 * (array - 2000.0) / 3000)), atol=1e-6)


def test_more_than_8_bits_survive() -> None:
    array = grey_picture(256, 256, top=65535)
    shown = read_dataset(data_set(array, WindowCenter=32768, WindowWidth=65536))
    assert np.unique(shown.pixels).size == np.unique(array).size > 20000


@pytest.mark.parametrize("high", [11, 13, 15])
@pytest.mark.parametrize("signed", [False, True])
def test_bits_stored_high_bit_and_sign(high: int, signed: bool) -> None:
    """Values lie anywhere in the container, with old overlay bits around them."""
    values = grey_picture().astype(np.int64) - (2048 if signed else 0)
    shift = high - 11
    container = ((values & 0xFFF) << shift) | (0xF000 << shift & 0xFFFF) | ((1 << shift) - 1)
    dataset = data_set(
        container.astype("u2"),
        BitsStored=12, HighBit=high, PixelRepresentation=int(signed), WindowCenter=0 if signed else 2048, WindowWidth=4096,
    )  # fmt: skip
    np.testing.assert_allclose(
        read_dataset(dataset).pixels, linear(values.astype(float), 0 if signed else 2048, 4096), atol=1e-6
    )


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, -100.0), (-2.0, 8190.0), (1.0, -1024.0)])
def test_rescale_comes_before_the_window(slope: float, intercept: float) -> None:
    array = grey_picture()
    meant = array * slope + intercept
    center, width = float(meant.mean()), float(np.ptp(meant)) * 0.8
    shown = read_dataset(
        data_set(array, RescaleSlope=slope, RescaleIntercept=intercept, WindowCenter=round(center), WindowWidth=round(width))
    )
    np.testing.assert_allclose(shown.pixels, linear(meant, round(center), round(width)), atol=1e-6)


def test_senseless_rescale_is_left_out_and_said() -> None:
    array = grey_picture()
    shown = read_dataset(data_set(array, RescaleSlope=0, RescaleIntercept=5, WindowCenter=2048, WindowWidth=4096))
    assert "bad-rescale" in codes(shown)
    np.testing.assert_allclose(shown.pixels, linear(array.astype(float), 2048, 4096), atol=1e-6)


def test_modality_table_comes_before_the_window() -> None:
    array = grey_picture(top=1200)
    entries = np.sqrt(np.arange(1024)) * 1000
    dataset = data_set(array, WindowCenter=16000, WindowWidth=32000)
    dataset.ModalityLUTSequence = lut_item(entries, first=100)
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    meant = np.floor(entries)[np.clip(array.astype(int) - 100, 0, 1023)]
    np.testing.assert_allclose(read_dataset(dataset).pixels, linear(meant, 16000, 32000), atol=1e-6)


def test_table_with_negative_first_value_on_signed_pixels() -> None:
    array = grey_picture(top=1000).astype("i2") - np.int16(500)
    entries = np.arange(1001) ** 2 / 16
    dataset = data_set(array, BitsStored=16, WindowCenter=31250, WindowWidth=62500)
    dataset.ModalityLUTSequence = lut_item(entries, first=65536 - 500)  # US where SS was meant
    meant = np.floor(entries)[array.astype(int) + 500]
    np.testing.assert_allclose(read_dataset(dataset).pixels, linear(meant, 31250, 62500), atol=1e-6)


@pytest.mark.parametrize("declared", [12, 16])
def test_voi_table(declared: int) -> None:
    """The output range is the entries' own depth even where the descriptor promises more."""
    array = grey_picture(top=1023)
    entries = np.rint(4095 * (np.arange(1024) / 1023) ** 2)
    dataset = data_set(array, BitsStored=10, HighBit=9)
    dataset.VOILUTSequence = lut_item(entries, first=0, bits=declared)
    np.testing.assert_allclose(read_dataset(dataset).pixels, entries[array] / 4095, atol=1e-6)


def test_voi_table_of_bytes_and_of_65536_entries() -> None:
    array = grey_picture(top=255, dtype="u1")
    entries = 255 - np.arange(256)
    dataset = data_set(array)
    dataset.VOILUTSequence = lut_item(entries, first=0, bits=8, packed=True)
    np.testing.assert_allclose(read_dataset(dataset).pixels, entries[array] / 255, atol=1e-6)
    wide = grey_picture(top=65535)
    dataset = data_set(wide)
    dataset.VOILUTSequence = lut_item(np.arange(65536), first=0)
    np.testing.assert_allclose(read_dataset(dataset).pixels, wide / 65535, atol=1e-6)


def test_voi_table_wins_over_window_and_several_are_noted() -> None:
    array = grey_picture(top=1023)
    dataset = data_set(array, WindowCenter=100, WindowWidth=50)
    dataset.VOILUTSequence = Sequence([*lut_item(np.arange(1024), 0, 10), *lut_item(np.arange(1024)[::-1], 0, 10)])
    shown = read_dataset(dataset)
    np.testing.assert_allclose(shown.pixels, array / 1023, atol=1e-6)
    assert "several-windows" in codes(shown)


def test_first_of_several_windows() -> None:
    array = grey_picture()
    shown = read_dataset(data_set(array, WindowCenter=[2000, 1000], WindowWidth=[3000, 500]))
    np.testing.assert_allclose(shown.pixels, linear(array.astype(float), 2000, 3000), atol=1e-6)
    assert "several-windows" in codes(shown)


@pytest.mark.parametrize(
    ("center", "width"),
    [(2000, 0), (2000, -5), (2000, 1), (30000, 100), (-500, 200), (2000, 1_000_000), ("NaN", "NaN"), ("abc", "400")],
)
def test_window_that_shows_nothing_gives_way_to_percentiles(center: object, width: object) -> None:
    array = grey_picture()
    dataset = data_set(array)
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    for tag, value in ((0x00281050, center), (0x00281051, width)):
        raw = str(value).encode()
        dataset._dict[Tag(tag)] = RawDataElement(Tag(tag), "DS", len(raw), raw, 0, False, True)
    shown = read_dataset(dataset)
    assert "degenerate-window" in codes(shown)
    rank = int(0.005 * (array.size - 1))
    low, high = np.sort(array.ravel())[[rank, -1 - rank]].astype(float)
    np.testing.assert_allclose(shown.pixels, np.clip((array - low) / (high - low), 0, 1), atol=1e-6)


def test_second_window_when_the_first_is_degenerate() -> None:
    array = grey_picture()
    shown = read_dataset(data_set(array, WindowCenter=[60000, 2000], WindowWidth=[10, 3000]))
    np.testing.assert_allclose(shown.pixels, linear(array.astype(float), 2000, 3000), atol=1e-6)
    assert "degenerate-window" in codes(shown)


def test_missing_window_takes_percentiles_and_says_so() -> None:
    array = grey_picture()
    shown = read_dataset(data_set(array, sop_class=SC, modality="CR"))
    assert {"no-window", "secondary-capture"} <= codes(shown)
    assert shown.pixels.min() == 0 and shown.pixels.max() == 1
    assert 0.005 < (shown.pixels == 1).mean() + (shown.pixels == 0).mean() < 0.02


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "contradicts"),
    [
        ("MONOCHROME2", None, False, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME1", None, True, False),
        ("MONOCHROME1", "INVERSE", True, False),
        ("MONOCHROME2", "INVERSE", True, True),
        ("MONOCHROME1", "IDENTITY", True, True),
    ],
)
def test_polarity_is_inverted_once(photometric: str, shape: str | None, inverted: bool, contradicts: bool) -> None:
    array = grey_picture()
    tags = {"PresentationLUTShape": shape} if shape else {}
    shown = read_dataset(data_set(array, PhotometricInterpretation=photometric, WindowCenter=1500, WindowWidth=2500, **tags))
    expected = linear(array.astype(float), 1500, 2500)
    np.testing.assert_allclose(shown.pixels, 1 - expected if inverted else expected, atol=1e-6)
    assert ("polarity-tags-disagree" in codes(shown)) == contradicts


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 1500, "WindowWidth": 2500}])
def test_twins_of_opposite_polarity_are_each_others_negative(window: dict[str, int]) -> None:
    array = grey_picture()
    one = read_dataset(data_set(array, **window)).pixels
    other = read_dataset(data_set(array, PhotometricInterpretation="MONOCHROME1", **window)).pixels
    np.testing.assert_array_equal(other, np.float32(1) - one)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_out_of_statistics(photometric: str) -> None:
    picture = grey_picture(200, 160) // 2 + 1000
    array = np.full((260, 160), 60000, "u2")
    array[30:230] = picture
    array[100, 100] = 60000  # inside the picture the value is a grey like others
    shown = read_dataset(data_set(array, PixelPaddingValue=60000, PhotometricInterpretation=photometric))
    alone = read_dataset(data_set(array[30:230], PixelPaddingValue=60000, PhotometricInterpretation=photometric))
    np.testing.assert_array_equal(shown.pixels[30:230], alone.pixels)
    assert (shown.pixels[:30] == 0).all() and (shown.pixels[230:] == 0).all()
    assert shown.pixels[100, 100] == (photometric == "MONOCHROME2")


def test_padding_range_and_padding_of_signed_pixels() -> None:
    picture = grey_picture(200, 160).astype("i2") // 2
    array = np.full((240, 160), -2000, "i2")
    array[20:220], array[:10] = picture, -1990
    shown = read_dataset(data_set(array, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1985))
    np.testing.assert_array_equal(shown.pixels[20:220], read_dataset(data_set(picture)).pixels)
    assert (shown.pixels[:20] == 0).all()


@pytest.mark.parametrize("shape", ["RECTANGULAR", "CIRCULAR", "POLYGONAL"])
@pytest.mark.parametrize("device", ["Collimator", "Shutter"])
def test_collimated_borders_stay_out_of_statistics(shape: str, device: str) -> None:
    rng = np.random.default_rng(5)
    array = rng.integers(50000, 60000, (200, 160)).astype("u2")  # scattered light behind the blades
    inside = np.s_[40:160, 30:130]
    array[inside] = grey_picture(120, 100)
    if shape == "CIRCULAR":
        down, across = np.ogrid[1:201, 1:161]
        array = np.where((down - 100) ** 2 + (across - 80) ** 2 <= 60**2, grey_picture(200, 160), array).astype("u2")
    openings: dict[str, dict[str, object]] = {
        "RECTANGULAR": {
            f"{device}UpperHorizontalEdge": 40, f"{device}LowerHorizontalEdge": 161,
            f"{device}LeftVerticalEdge": 30, f"{device}RightVerticalEdge": 131,
        },
        "CIRCULAR": {f"CenterOfCircular{device}": [100, 80], f"RadiusOfCircular{device}": 60},
        "POLYGONAL": {f"VerticesOfThePolygonal{device}": [41, 31, 41, 130, 160, 130, 160, 31]},
    }  # fmt: skip
    shown = read_dataset(data_set(array, **{f"{device}Shape": shape}, **openings[shape]))
    blind = read_dataset(data_set(array))
    assert np.ptp(shown.pixels[inside][30:90, 20:80]) > 0.3
    assert np.ptp(blind.pixels[inside][30:90, 20:80]) < 0.1


def test_a_shutter_that_hides_everything_is_not_believed() -> None:
    array = grey_picture()
    tags = {"UpperHorizontalEdge": 90, "LowerHorizontalEdge": 2, "LeftVerticalEdge": 1, "RightVerticalEdge": 2}
    shown = read_dataset(data_set(array, ShutterShape="RECTANGULAR", **{f"Shutter{key}": value for key, value in tags.items()}))
    np.testing.assert_array_equal(shown.pixels, read_dataset(data_set(array)).pixels)


def test_plain_black_borders_stay_out_of_statistics() -> None:
    picture = grey_picture(200, 160) // 4 + 2000
    framed = np.pad(picture, ((300, 10), (5, 200)))
    shown = read_dataset(data_set(framed))
    np.testing.assert_array_equal(shown.pixels[300:500, 5:165], read_dataset(data_set(picture)).pixels)


def test_pixels_of_32_bits() -> None:
    array = grey_picture(top=3_000_000, dtype="u4")
    shown = read_dataset(data_set(array, WindowCenter=1_500_000, WindowWidth=3_000_000))
    np.testing.assert_allclose(shown.pixels, linear(array.astype(float), 1_500_000, 3_000_000), atol=1e-6)


def test_functional_groups_of_a_single_frame() -> None:
    """A multi-frame object of one frame keeps rescale, window and spacing in functional groups."""
    array = grey_picture()
    frame = Dataset()
    value, window, measures = Dataset(), Dataset(), Dataset()
    value.RescaleSlope, value.RescaleIntercept = 2, 10
    window.WindowCenter, window.WindowWidth = 4000, 7000
    measures.PixelSpacing = [0.2, 0.2]
    frame.PixelValueTransformationSequence, frame.FrameVOILUTSequence = [value], [window]
    frame.PixelMeasuresSequence = [measures]
    dataset = data_set(array, sop_class=SC + ".3", modality="CR", NumberOfFrames=1, SharedFunctionalGroupsSequence=[frame])
    shown = read_dataset(dataset)
    np.testing.assert_allclose(shown.pixels, linear(array * 2.0 + 10, 4000, 7000), atol=1e-6)
    assert shown.spacing_mm == (0.2, 0.2)
    assert "WindowCenter" not in dataset and "PixelSpacing" not in dataset, "the caller's data set stays as it was"


def test_grey_stored_in_colour_and_in_a_palette() -> None:
    grey = grey_picture(top=255, dtype="u1")
    plain = read_dataset(data_set(grey, sop_class=SC, modality="CR"))
    coloured = read_dataset(data_set(np.stack([grey] * 3, axis=-1), sop_class=SC, modality="CR"))
    np.testing.assert_array_equal(coloured.pixels, plain.pixels)
    full = data_set(np.stack([grey, np.full_like(grey, 128), np.full_like(grey, 128)], axis=-1), sop_class=SC, modality="CR")
    full.PhotometricInterpretation = "YBR_FULL"
    np.testing.assert_allclose(read_dataset(full).pixels, plain.pixels, atol=0.01)
    palette = data_set(grey, sop_class=SC, modality="CR", PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(palette, f"{colour}PaletteColorLookupTableData", (np.arange(256) * 257).astype("<u2").tobytes())
    np.testing.assert_allclose(read_dataset(palette).pixels, plain.pixels, atol=1e-6)


def test_a_coloured_capture_is_refused() -> None:
    grey = grey_picture(top=255, dtype="u1")
    array = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    with pytest.raises(InputError) as caught:
        read_dataset(data_set(array, sop_class=SC, modality="OT"))
    assert caught.value.code == "colour-photo"


def test_constant_after_masking_is_refused() -> None:
    array = grey_picture() << 4
    with pytest.raises(InputError) as caught:
        read_dataset(data_set(array & 0xFFF0, sop_class=DX, BitsStored=4, HighBit=3))
    assert caught.value.code == "constant"
