"""A folder whose disk can be made full, for measurements that have to see what happens then."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from OsteoScreenLib.benchmarks.gateway_process import GatewayProcess

SIZE_MIB = 1024


class SmallDisk:
    """A small disk of its own where the system lets us mount one (`kind` "tmpfs"); else the gateway's reserve is raised for one life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0700", "tmpfs", str(folder)]
        mounted = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False).returncode == 0
        self.kind = "tmpfs" if mounted else "reserve"

    def close(self) -> None:
        """Give the disk back."""
        if self.kind == "tmpfs":
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)

    @contextlib.contextmanager
    def full(self, gateway: GatewayProcess) -> Iterator[None]:
        """Without any room for a while."""
        if self.kind == "tmpfs":
            ballast = self.folder / "ballast"
            with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(2**20))
            try:
                yield
            finally:
                ballast.unlink()
            return
        gateway.restart(reserve_mib=shutil.disk_usage(self.folder).free // 2**20 + 2**20)
        try:
            yield
        finally:
            gateway.restart()
