"""Starting the processes that train together on one machine. `accelerate launch` does the same for many machines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import OsteoScreenError

_LAST_WORDS = 3.0  # seconds that the others have when one has failed


def started_by_launcher() -> bool:
    """Whether `accelerate launch`, or `launch` below, started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process is the one of several that speaks."""
    return os.environ.get("RANK", "0") == "0"


def launch(arguments: Sequence[str], count: int) -> int:
    """Run the command line with these arguments in `count` processes of this machine; the leading one's exit code.

    The environment is the one that `accelerate launch` and `torchrun` set. When a process fails, the others are ended; what the leading
    one says is shown, and what another one says where only that one failed.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    shared.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    package = str(Path(__file__).resolve().parents[3])
    shared["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
    team: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        said = [open(Path(folder) / str(rank), "w+b") for rank in range(count)]  # noqa: SIM115
        try:
            for rank in range(count):
                ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                quiet: dict[str, Any] = {} if rank == 0 else {"stdout": subprocess.DEVNULL, "stderr": said[rank]}
                command = [sys.executable, "-m", "OsteoScreenLib.cli", *arguments]
                team.append(subprocess.Popen(command, env=shared | ranks, **quiet))
            codes = _outcome(team)
            if codes[0] in (0, None) or codes[0] == -signal.SIGTERM:
                failed = next((rank for rank, code in enumerate(codes) if rank and code not in (0, -signal.SIGTERM)), None)
                if failed is not None:
                    said[failed].seek(0)
                    told = said[failed].read().decode("utf-8", "replace").strip().splitlines()
                    raise OsteoScreenError(told[-1] if told else f"Process {failed} of {count} stopped; run the command again.")
            return int(codes[0] or 0)
        finally:
            for one in team:
                if one.poll() is None:
                    one.kill()
                    one.wait()
            for stream in said:
                stream.close()


def _outcome(team: Sequence[subprocess.Popen[bytes]]) -> list[int | None]:
    """The exit codes, once all have ended or one has failed and the others had the time to say why."""
    while True:
        codes = [one.poll() for one in team]
        if all(code is not None for code in codes):
            return list(codes)
        if any(code not in (0, None) for code in codes):
            deadline = time.monotonic() + _LAST_WORDS
            while time.monotonic() < deadline and any(one.poll() is None for one in team):
                time.sleep(0.1)
            for one in team:
                if one.poll() is None:
                    one.terminate()
            return [one.wait() for one in team]
        time.sleep(0.2)
