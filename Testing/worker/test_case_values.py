"""What goes through the pipe comes back the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph, Source, Window
from OsteoScreenLib.worker.case_values import facts_to_values, masks_from_values, masks_to_values, radiograph_from_values


def example() -> BoneMasks:
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3:6] = True
    return BoneMasks.pack({"T7": mask}, mask.shape, method="m").with_facts(
        confidence={"T7": 0.25}, left_out={"T8": "faint"}, trust={"T7": "check"}, edited=frozenset({"T9"})
    )


def test_masks_and_what_is_known_of_them() -> None:
    masks = example()
    back = masks_from_values(json.loads(json.dumps(masks_to_values(masks))), masks.layers)
    assert back.facts == masks.facts and back.table == masks.table and back.sha256 == masks.sha256


def test_masks_of_an_older_client_have_no_facts() -> None:
    values = masks_to_values(example())
    del values["facts"]
    assert masks_from_values(values, example().layers).facts == BoneMasks.pack({}, (8, 9)).facts


@pytest.mark.parametrize(
    "facts", [{"confidence": {}}, {"confidence": {"T7": "x"}, "left_out": {}, "trust": {}, "edited": []}, 3]
)
def test_damaged_facts_are_one_sentence(facts: object) -> None:
    with pytest.raises(InputError, match="bone masks are incomplete"):
        masks_from_values(masks_to_values(example()) | {"facts": facts}, example().layers)


@pytest.mark.parametrize("window", [None, Window(0.5, 300.25, "SIGMOID")])
def test_a_radiograph_comes_back_with_its_source(window: Window | None) -> None:
    source = Source("a.dcm", "0" * 64, "DICOM", (8, 9), "1.2", "1.3", "1.4", modality="DX", window=window)
    radiograph = Radiograph(
        np.zeros((9, 8), np.float32), (0.2, 0.3), "detector", "PA", "CHEST", source, Placement(True, 1, True)
    )
    values = json.loads(json.dumps(facts_to_values(radiograph)))
    back = radiograph_from_values(values, [], radiograph.pixels)
    assert (back.source, back.placement, back.spacing_mm) == (source, radiograph.placement, (0.2, 0.3))
    del values["source"]["window"]  # as an earlier version kept it
    assert radiograph_from_values(values, [], radiograph.pixels).source.window is None
