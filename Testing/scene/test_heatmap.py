"""The heatmap lies where the map says, in the colours of its table, only where the network looked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene.drawn import a_map, a_radiograph, at, differs, places, zoom

SQUARE, WIDE = (200, 200), (150, 260)
PARTS = {
    "all of it": (SQUARE, None),
    "wide": (WIDE, None),
    "letterbox": (WIDE, (-55, 205, 0, 260)),
    "crop": (WIDE, (0, 150, 55, 205)),
    "crop between pixels": (WIDE, (10.3, 130.7, 55.6, 201.2)),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_volume_holds_the_map_pixel_for_pixel(part: str) -> None:
    from OsteoScreenLib.scene.heatmap import on_its_part

    shape, seen = PARTS[part]
    saliency = a_map(shape, seen)
    values, (top, bottom, left, right) = on_its_part(saliency)
    laid = np.zeros(shape, np.float32)
    laid[top:bottom, left:right] = values
    assert values.shape == (bottom - top, right - left)
    np.testing.assert_allclose(laid, saliency.on_radiograph(), atol=2e-6)


def test_a_large_radiograph_is_sampled_finely_enough() -> None:
    """Drawn linearly between its samples, the volume misses even a map of noise by less than two of the 256 colours."""
    from OsteoScreenLib.scene.heatmap import on_its_part

    saliency = a_map((2400, 3000), cells=16)
    values, _ = on_its_part(saliency)
    assert max(values.shape) == 2048
    wanted = saliency.on_radiograph()
    rows, columns = ((np.arange(size) + 0.5) * many / size - 0.5 for size, many in zip((2400, 3000), values.shape, strict=True))
    low_r, low_c = (
        np.clip(np.floor(axis).astype(int), 0, n - 2) for axis, n in zip((rows, columns), values.shape, strict=True)
    )
    part_r, part_c = (rows - low_r).clip(0, 1)[:, None], (columns - low_c).clip(0, 1)
    across = values[:, low_c] * (1 - part_c) + values[:, low_c + 1] * part_c
    drawn = across[low_r] * (1 - part_r) + across[low_r + 1] * part_r
    assert np.abs(drawn - wanted).max() < 2 / 256


@pytest.mark.parametrize("spacing", [None, (0.2, 0.2), (0.3, 0.14)])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("zoomed", [False, True])
def test_drawn_where_the_map_says_to_half_a_pixel(
    widget: Any, part: str, spacing: tuple[float, float] | None, zoomed: bool
) -> None:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    shape, seen = PARTS[part]
    saliency = a_map(shape, seen)
    case = SceneCase.create("chest", a_radiograph(shape), spacing)
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    if zoomed:
        zoom(widget, 3.7, 3.3 * case.spacing_mm()[1], 11.7 * case.spacing_mm()[0])
    without = view.frame()
    case.set_saliency(saliency)
    case.set_heat_style(HeatStyle(opacity=1.0, threshold=0.4))
    drawn = differs(view.frame(), without)
    view.close()

    columns, rows = places(widget, case)
    speaks = saliency.on_radiograph() >= 0.4
    # Every pixel within half a pixel's reach says the same: then there is no doubt what must be drawn.
    around = [at(speaks, columns + dx, rows + dy) for dx in (-0.5, 0, 0.5) for dy in (-0.5, 0, 0.5)]
    surely, surely_not = np.min(around, axis=0) > 0, np.max(around, axis=0) == 0
    assert surely.sum() > 2000 and surely_not.sum() > 2000
    assert drawn[surely].all()
    assert not drawn[surely_not].any()


def test_the_edge_of_a_crop_is_sharp(widget: Any) -> None:
    """What was not shown to the network stays grey up to the very edge of what was."""
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    saliency = a_map(WIDE, PARTS["crop"][1])
    saliency.grid[:] = 1
    case = SceneCase.create("chest", a_radiograph(WIDE), (0.2, 0.1))
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    zoom(widget, 2.3)
    without = view.frame()
    case.set_saliency(saliency)
    case.set_heat_style(HeatStyle(opacity=1.0))
    drawn = differs(view.frame(), without)
    view.close()
    columns, rows = places(widget, case)
    wanted = (columns >= 54.5) & (columns < 204.5) & (rows >= -0.5) & (rows < 149.5)
    assert wanted.any() and not wanted.all()
    # Rounding may give a frame pixel that lies on the edge itself to either side.
    doubtful = (np.abs(columns - 54.5) < 1e-3) | (np.abs(columns - 204.5) < 1e-3)
    assert (drawn == wanted)[~doubtful].all()


@pytest.mark.parametrize("name", ["plasma", "viridis", "inferno", "cividis"])
def test_colours_are_the_tables(widget: Any, name: str) -> None:
    from OsteoScreenLib.exchange.colour_maps import colours
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    saliency = a_map(SQUARE)
    case = SceneCase.create("chest", a_radiograph(SQUARE), None)
    case.set_saliency(saliency)
    case.set_heat_style(HeatStyle(opacity=1.0, threshold=0.2, colour_map=name))
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    frame = view.frame().astype(int)
    view.close()
    columns, rows = places(widget, case)
    values = at(saliency.on_radiograph(), columns, rows)
    beside = [at(saliency.on_radiograph(), columns + dx, rows + dy) for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    flat = np.max(np.abs(np.array(beside) - values), axis=0)
    still = (values > 0.25) & (flat < 0.004)
    assert still.sum() > 50
    levels = np.rint(values[still] * 255).astype(int)
    table = colours(name).astype(int)
    # A level more or less for rounding, another for the value within the pixel.
    misses = [np.abs(frame[still] - table[(levels + step).clip(0, 255)]).max(axis=1) for step in (-2, -1, 0, 1, 2)]
    assert np.min(misses, axis=0).max() <= 1


def test_opacity_blends_and_invisible_is_the_radiograph_alone(widget: Any) -> None:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    case = SceneCase.create("chest", a_radiograph(SQUARE), None)
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    grey = view.frame()
    case.set_saliency(a_map(SQUARE))
    frames = {}
    for opacity in (0.0, 0.4, 1.0):
        case.set_heat_style(HeatStyle(opacity=opacity))
        frames[opacity] = view.frame().astype(float)
    assert np.array_equal(frames[0.0], grey)
    blended = 0.6 * grey + 0.4 * frames[1.0]
    assert np.abs(frames[0.4] - blended).max() <= 2
    case.set_heat_style(HeatStyle(visible=False))
    assert np.array_equal(view.frame(), grey)
    case.set_saliency(None)
    case.set_heat_style(HeatStyle())
    assert case.heatmap is None and case.is_whole()
    assert np.array_equal(view.frame(), grey)
    view.close()


def test_an_empty_map_colours_nothing_even_without_threshold(widget: Any) -> None:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    saliency = a_map(SQUARE)
    saliency.grid[:] = 0
    case = SceneCase.create("chest", a_radiograph(SQUARE), None)
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    grey = view.frame()
    case.set_saliency(saliency)
    case.set_heat_style(HeatStyle(opacity=1.0, threshold=0.0))
    assert np.array_equal(view.frame(), grey)
    view.close()


def test_dragging_over_the_heatmap_changes_the_radiographs_window(widget: Any) -> None:
    import slicer

    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.view import CaseView

    case = SceneCase.create("chest", a_radiograph(SQUARE), None)
    case.set_saliency(a_map(SQUARE))
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    view.frame()
    interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.AdjustWindowLevel)
    interactor = widget.interactor()
    for event, x, y in (
        ("EnterEvent", 300, 220),
        ("MouseMoveEvent", 300, 220),
        ("LeftButtonPressEvent", 300, 220),
        ("MouseMoveEvent", 380, 260),
        ("MouseMoveEvent", 420, 290),
        ("LeftButtonReleaseEvent", 420, 290),
    ):
        interactor.SetEventInformation(x, y, 0, 0, chr(0), 0, None)
        interactor.InvokeEvent(event)
    view.close()
    radiograph, heat = case.radiograph.GetDisplayNode(), case.heatmap.GetDisplayNode()
    assert (radiograph.GetWindow(), radiograph.GetLevel()) != (1.0, 0.5)
    assert (heat.GetWindow(), heat.GetLevel()) == (1.0, 0.5)


def test_one_table_of_colours_for_pictures_and_viewers() -> None:
    import cv2

    from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS, colours
    from OsteoScreenLib.exchange.plate import heat_colours

    levels = np.arange(256, dtype=np.uint8)[:, None]
    for name in COLOUR_MAPS:
        wanted = cv2.applyColorMap(levels, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1]
        assert np.array_equal(colours(name), wanted), name
    assert np.array_equal(heat_colours(), colours("plasma"))
    with pytest.raises(ValueError, match="jet"):
        colours("jet")


def test_style_survives_json_and_refuses_nonsense() -> None:
    from OsteoScreenLib.scene.heatmap import HeatStyle

    style = HeatStyle(False, 0.7, 0.3, "cividis")
    assert HeatStyle.from_json(style.to_json()) == style
    with pytest.raises(ValueError):
        HeatStyle.from_json(style.to_json() | {"colour_map": "jet"})
    with pytest.raises(ValueError):
        HeatStyle.from_json(style.to_json() | {"opacity": 1.5})
