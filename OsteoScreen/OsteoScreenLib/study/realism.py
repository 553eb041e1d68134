"""How like real radiographs simulated ones are: grey values and spectrum of both, in figures and side by side.

It says whether brightness, contrast and fineness lie in the range of real files; it does not say that anatomy or density are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.gate import Gate, lay_upright
from OsteoScreenLib.files import write_atomically, write_bytes
from OsteoScreenLib.radiograph.read import read_radiograph

SIDE = 512  # pixels of the longer side that every picture is brought to
DECILES = (10, 20, 30, 40, 50, 60, 70, 80, 90)
_MIDDLE = 384  # of the square in the middle that is measured, away from markers, letters and collimator
_BAND = (6, 96)  # cycles across that square between which the slope is fitted: below the blur of detectors and codecs


@dataclass(frozen=True)
class Look:
    """Figures of one radiograph's middle, brought to 512 pixels.

    deciles : grey values (9,) in [0, 1]. slope : β of power ∝ 1/frequency^β, which is 2-3 for natural images (Field 1987).
    frequencies, power : the radially averaged spectrum, cycles across the middle and power relative to its total.
    """

    deciles: np.ndarray
    slope: float
    frequencies: np.ndarray
    power: np.ndarray


def look_of(pixels: np.ndarray) -> Look:
    """Measure an upright radiograph, float32 (rows, columns) in [0, 1], bone bright."""
    middle = _middle(brought_to_size(pixels))
    window = np.hanning(_MIDDLE)
    windowed = (middle - middle.mean()) * np.outer(window, window)
    spectrum = np.abs(np.fft.rfft2(windowed)) ** 2
    rows, columns = np.fft.fftfreq(_MIDDLE) * _MIDDLE, np.fft.rfftfreq(_MIDDLE) * _MIDDLE
    radius = np.rint(np.hypot(rows[:, None], columns[None, :])).astype(int)
    counts = np.maximum(np.bincount(radius.ravel()), 1)
    power = (np.bincount(radius.ravel(), spectrum.ravel()) / counts)[1 : _MIDDLE // 2]
    frequencies = np.arange(1, _MIDDLE // 2)
    power = power / max(power.sum(), 1e-30)
    band = (frequencies >= _BAND[0]) & (frequencies <= _BAND[1])
    slope = -np.polyfit(np.log(frequencies[band]), np.log(power[band] + 1e-30), 1)[0]
    return Look(np.percentile(middle, DECILES), float(slope), frequencies, power)


def brought_to_size(pixels: np.ndarray) -> np.ndarray:
    """Area average to 512 pixels along the shorter side, so that a middle square can be cut; enlarged where it is smaller."""
    import cv2

    factor = SIDE / min(pixels.shape)
    size = (max(SIDE, round(pixels.shape[1] * factor)), max(SIDE, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), np.float32)


def _middle(picture: np.ndarray) -> np.ndarray:
    top, left = ((length - _MIDDLE) // 2 for length in picture.shape)
    return picture[top : top + _MIDDLE, left : left + _MIDDLE]


@dataclass(frozen=True)
class Comparison:
    """Simulated beside real looks. slopes_inside : simulated images whose slope lies in the real ones' range.
    deciles_inside : for each decile, the same of its grey value. all_inside : images that are inside everywhere. real_inside : real
    ones that are inside everywhere in the range of the other real ones, which says how much a range of so few can ask for."""

    real: tuple[Look, ...]
    simulated: tuple[Look, ...]
    slopes_inside: int
    deciles_inside: tuple[int, ...]
    all_inside: int
    real_inside: int


def compare_looks(real: Sequence[Look], simulated: Sequence[Look]) -> Comparison:
    """Which simulated images lie within the range, least to greatest, of the real ones."""
    slope_in, decile_in = _within(real, simulated)
    alone = 0
    for look in real:
        others = [other for other in real if not np.array_equal(other.power, look.power)]  # a file may be there twice
        if others:
            slope, deciles = _within(others, [look])
            alone += int(slope.all() and deciles.all())
    return Comparison(
        tuple(real),
        tuple(simulated),
        int(slope_in.sum()),
        tuple(int(count) for count in decile_in.sum(axis=0)),
        int((slope_in & decile_in.all(axis=1)).sum()),
        alone,
    )


def _within(real: Sequence[Look], looks: Sequence[Look]) -> tuple[np.ndarray, np.ndarray]:
    """Whether slope, bool (looks,), and each decile, bool (looks, 9), lie between the real ones' least and greatest."""
    slopes, deciles = [look.slope for look in real], np.stack([look.deciles for look in real])
    given = np.stack([look.deciles for look in looks])
    return (
        np.array([min(slopes) <= look.slope <= max(slopes) for look in looks]),
        (given >= deciles.min(axis=0)) & (given <= deciles.max(axis=0)),
    )


def plot_looks(comparison: Comparison, path: Path) -> Path:
    """Spectra, slopes and deciles of both as a PNG. Raises `OsteoScreenError` when it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    spectra, slopes, greys = figure.subplots(1, 3, width_ratios=(3, 2, 3))
    kinds = (("simulated", comparison.simulated, "#d95f02", 0.5), ("real", comparison.real, "#1b4f8a", 0.9))
    for name, looks, colour, opacity in kinds:
        for number, look in enumerate(looks):
            label = f"{name} ({len(looks)})" if number == 0 else None
            spectra.loglog(look.frequencies, look.power, color=colour, alpha=opacity, lw=0.9, label=label)
            greys.plot(DECILES, look.deciles, color=colour, alpha=opacity, lw=0.9, label=label)
    for limit in _BAND:
        spectra.axvline(limit, color="0.6", lw=0.7, ls=":")
    spectra.set(xlabel="cycles across the middle of the image", ylabel="share of the power", title="Spectrum")
    rng = np.random.default_rng(0)
    for place, (name, looks, colour, _) in enumerate(reversed(kinds)):
        values = [look.slope for look in looks]
        slopes.plot(place + rng.uniform(-0.12, 0.12, len(values)), values, "o", color=colour, ms=5, alpha=0.8, label=name)
    slopes.set(
        xticks=(0, 1),
        xticklabels=("real", "simulated"),
        xlim=(-0.5, 1.5),
        ylabel="β of 1/frequency^β",
        title="Slope between the dotted lines",
    )
    greys.set(xlabel="share of the pixels that are darker, %", ylabel="grey value", ylim=(0, 1), title="Grey values")
    for axes in (spectra, greys):
        axes.legend(frameon=False)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110, format="png"))


def contact_sheet(simulated: Sequence[np.ndarray], real: Sequence[np.ndarray], path: Path, side: int = 300) -> Path:
    """Simulated radiographs in four columns, each numbered, and real ones, repeated as needed, in two columns beside them. path : .png or .jpg."""
    import cv2

    rows = -(-len(simulated) // 4)
    sheet = np.zeros((rows * side, (6 if real else 4) * side + (8 if real else 0)), np.uint8)
    if real:
        sheet[:, 4 * side : 4 * side + 8] = 255
    for number, pixels in enumerate(simulated):
        row, column = divmod(number, 4)
        cell = _cell(pixels, side)
        cv2.putText(cell, str(number + 1), (6, side - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = cell
    for number in range(2 * rows if real else 0):
        row, column = divmod(number, 2)
        left = (4 + column) * side + 8
        sheet[row * side : (row + 1) * side, left : left + side] = _cell(real[number % len(real)], side)
    done, encoded = cv2.imencode(path.suffix, sheet, [cv2.IMWRITE_JPEG_QUALITY, 85] if path.suffix == ".jpg" else [])
    assert done
    return write_bytes(path, encoded.tobytes())


def _cell(pixels: np.ndarray, side: int) -> np.ndarray:
    """A picture as large as fits into a black square, uint8."""
    import cv2

    factor = (side - 4) / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = (np.clip(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), 0, 1) * 255).astype(np.uint8)
    cell = np.zeros((side, side), np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def upright_pixels(path: Path, gate: Gate) -> np.ndarray:
    """A file's pixels as the gate lays them: upright, bone bright, float32 (rows, columns).

    Raises `InputError` for what cannot be read or is no frontal chest radiograph.
    """
    return lay_upright(read_radiograph(path), gate, gate.site).pixels
