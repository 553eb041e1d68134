"""The overlay's words and colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import make_masks, make_radiograph

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange import lettering, overlay, plate
from OsteoScreenLib.explain.saliency import NO_SCORE, SaliencyMap
from OsteoScreenLib.radiograph.radiograph import Note

SHAPE = (240, 200)


def saliency(grid: np.ndarray) -> SaliencyMap:
    rows, columns = grid.shape
    step = (SHAPE[1] / columns, SHAPE[0] / rows)
    matrix = np.array([[step[0], 0, (step[0] - 1) / 2], [0, step[1], (step[1] - 1) / 2], [0, 0, 1]])
    return SaliencyMap(
        grid.astype(np.float32), matrix, SHAPE, matrix, grid.shape, "osteoporosis", "log-odds", "Grad-CAM", "layer"
    )


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn."""
    from PIL import ImageDraw

    drawn: list[str] = []
    draw_text = ImageDraw.ImageDraw.text

    def record(self: ImageDraw.ImageDraw, xy: object, text: str, *rest: object, **options: object) -> None:
        drawn.append(text)
        draw_text(self, xy, text, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", record)
    return drawn


def test_the_banner_names_simulated_training_only_where_it_is_so() -> None:
    assert overlay.banner(True) == "Research use only · model trained on simulated images"
    assert overlay.banner(False) == "Research use only"


def test_every_word_a_reader_needs_is_on_it(words: list[str]) -> None:
    radiograph = make_radiograph(SHAPE).with_notes(
        Note("mirror-suspected", "warning", "The image may be mirrored."), Note("no-dicom", "info", "A picture file.")
    )
    heat = saliency(np.eye(7))
    overlay.draw_overlay(radiograph, make_masks(SHAPE), heat, notice=overlay.banner(True), headline="Osteopenia · 43 %")
    text = " ".join(words)
    for wanted in ("Research use only · model trained on simulated images", "Osteopenia · 43 %", "Grad-CAM", "for osteoporosis",
                   "scaled within", "most", "least", "! The image may be mirrored.", "Spine (2 of 15)", "T6", "rib 5 R"):  # fmt: skip
        assert wanted in text, wanted
    assert "picture file" not in text


def test_an_empty_heatmap_says_so_and_colours_nothing(words: list[str]) -> None:
    radiograph, nothing = make_radiograph(SHAPE), BoneMasks.pack({}, SHAPE)
    empty = overlay.draw_overlay(radiograph, nothing, saliency(np.zeros((7, 7))), notice="")
    assert "empty: no place" in " ".join(words) and "none found" in words
    left, top, right, bottom = empty.area
    area = empty.image[top:bottom, left:right]
    assert (area[..., 0] == area[..., 1]).all() and (area[..., 1] == area[..., 2]).all()


def test_a_map_that_knows_no_classes_is_not_said_to_be_for_one(words: list[str]) -> None:
    radiograph = make_radiograph(SHAPE)
    for grid in (np.eye(7), np.zeros((7, 7))):
        heat = replace(saliency(grid), method="Attention rollout", score=NO_SCORE)
        overlay.draw_overlay(radiograph, BoneMasks.pack({}, SHAPE), heat, notice="")
    text = " ".join(words)
    assert "the same for every class" in text and "stands out" in text
    assert "osteoporosis" not in text


def test_heat_never_covers_more_than_its_opacity_and_leaves_zero_alone() -> None:
    grey = np.full((1, 256, 3), 100, np.uint8)
    values = np.linspace(0, 1, 256, dtype=np.float32)[None]
    plate.blend_heat(grey, values)
    alpha = plate.heat_opacity()
    assert alpha.max() == pytest.approx(0.4) and (np.diff(alpha) >= 0).all()
    assert (grey[0, 0] == 100).all()
    wanted = 100 * (1 - 0.4) + 0.4 * plate.heat_colours()[255].astype(float)
    np.testing.assert_allclose(grey[0, 255], wanted, atol=0.6)


def test_colours_grow_lighter_step_by_step() -> None:
    """What makes a map readable to colour-blind readers and in print: lightness alone keeps the order."""
    linear = (plate.heat_colours() / 255.0) ** 2.2
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > -1e-3).all()


def test_names_do_not_cover_each_other_and_stay_inside() -> None:
    from PIL import Image, ImageDraw

    placer = lettering.NamePlacer(ImageDraw.Draw(Image.new("RGB", (200, 100))), (0, 0, 200, 100), 16)
    assert placer.put("T5", 100, 50, (255, 0, 0))
    assert not placer.put("T6", 104, 54, (255, 0, 0))
    assert not placer.put("T7", 199, 50, (255, 0, 0))
    assert placer.put("T8", 100, 80, (255, 0, 0))


def test_letters_the_typeface_lacks_are_replaced() -> None:
    assert lettering.drawable("Röntgen 90° − Δ · 4×4…") == "Rontgen 90° -  · 4x4..."


def test_wrapped_lines_fit() -> None:
    lines = lettering.wrap("The heart seems to lie on the patient's right and so on and on " * 3, 15, 300)
    assert len(lines) > 3
    assert all(lettering.typeface(15).getlength(line) <= 300 for line in lines)


def test_a_full_disk_leaves_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from OsteoScreenLib import files

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_all", full)
    with pytest.raises(OsteoScreenError, match=r"^Could not write overlay\.png in .*: No space left on device; [^\n]*\.$"):
        overlay.save_png(tmp_path / "overlay.png", np.zeros((50, 50, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
