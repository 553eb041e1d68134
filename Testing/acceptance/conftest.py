"""A table with a real scene, a real view and the real worker."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from acceptance.tables import Bench, KeptClient, bench


@pytest.fixture(scope="module")
def client() -> Iterator[KeptClient]:
    kept = KeptClient(sys.executable)
    yield kept
    kept.end()


@pytest.fixture
def table(view: Any, qapp: Any, client: KeptClient) -> Iterator[Bench]:
    with bench(client, qapp) as made:
        yield made
