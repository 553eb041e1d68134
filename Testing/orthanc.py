"""The real Orthanc of the tests: `with orthanc(folder) as server:`. Skips with one sentence where it is not installed.

What it can do is in `OsteoScreenLib.benchmarks.orthanc`: stop, kill and start again on the same storage and ports, users, TLS.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from OsteoScreenLib.benchmarks.orthanc import MISSING, Orthanc, free_port, installed

__all__ = ["Orthanc", "free_port", "needs_orthanc", "orthanc"]

needs_orthanc = pytest.mark.skipif(not installed(), reason=MISSING)
"""Mark of tests that start one."""


def orthanc(folder: Path, **options: Any) -> Orthanc:
    """An Orthanc in `folder`, not started yet (`with` starts and stops it). Options as of `Orthanc`."""
    if not installed():
        pytest.skip(MISSING)
    if options.get("tls") and shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificates of these tests, is not installed")
    return Orthanc(folder, **options)
