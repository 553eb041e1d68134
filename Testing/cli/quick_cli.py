"""The real command line with the worker of `quick_worker.py`: arguments are those of `osteoscreen`."""

from __future__ import annotations

import sys
from pathlib import Path

from OsteoScreenLib import cli
from OsteoScreenLib.workbench.worker_client import WorkerClient

WORKER = Path(__file__).resolve().parent.parent / "worker" / "quick_worker.py"
options = WorkerClient.__init__.__kwdefaults__
assert options is not None
options["arguments"] = [str(WORKER)]
sys.exit(cli.main())
