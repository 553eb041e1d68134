"""What this process runs on: versions, devices, memory."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.worker import protocol

_LIBRARIES = ("torch", "timm", "numpy", "grad-cam", "pydicom")


def versions() -> dict[str, Any]:
    """Versions of everything that decides an answer, without importing it."""
    return {
        "osteoscreen": __version__,
        "protocol": protocol.VERSION,
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "pid": os.getpid(),
    }


def devices() -> list[dict[str, Any]]:
    """Devices that torch can use here, the best first; the processor is always there."""
    import torch

    found: list[dict[str, Any]] = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append({"device": f"cuda:{index}", "name": properties.name, "memory_bytes": properties.total_memory})
    if torch.backends.mps.is_available():
        found.append({"device": "mps", "name": "Apple GPU"})
    found.append({"device": "cpu", "name": platform.processor() or platform.machine(), "threads": torch.get_num_threads()})
    return found


def peak_memory_bytes() -> int:
    """The most memory this process has held at once."""
    if sys.platform == "linux":  # where `getrusage` begins with the peak of the process that started this one
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
