"""What every test shares: offline hubs, quiet threads, and the way to the real material when it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
# Waiting OpenMP threads that spin make everything several times slower where cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real radiographs, CT and bones that lives beside the repository; tests skip where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real material (../shared/data) is not on this machine")
    return folder
