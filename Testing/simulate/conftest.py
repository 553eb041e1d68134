"""Anatomies that tests of the simulator share: one drawn for them, and the real ones where the material is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from thoraces import drawn_anatomy

from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.sources import Sources, load_anatomies, sources_in


@pytest.fixture(scope="module", params=["drawn", "skeleton", "labelled CT"])
def anatomy(request: pytest.FixtureRequest) -> Anatomy:
    if request.param == "drawn":
        return drawn_anatomy()
    return request.getfixturevalue("real_anatomies")[("skeleton", "labelled CT").index(request.param)]


@pytest.fixture(scope="session")
def real_anatomies(shared_data: Path) -> tuple[Anatomy, ...]:
    every = sources_in(shared_data / "skeleton" / "bodyparts3d_stl.zip", shared_data / "thorax_ct")
    return load_anatomies(Sources(every.skeleton, every.thoraces[:1]))  # registering the others takes minutes
