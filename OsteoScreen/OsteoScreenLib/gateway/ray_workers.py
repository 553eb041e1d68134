"""Analysers that run on Ray: on this machine or on many, on processors or on GPUs. Images go to them and results come back as bytes.

The queue, its rules and what is sent stay where the gateway is, so that a worker, or a whole machine, may be lost at any moment.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.gateway.analysers import GivenBack
from OsteoScreenLib.workbench.worker_client import WorkerFault

_POLL_SECONDS = 0.1
_STORE_BYTES = 2**29  # images and results on their way; those of a cluster started here alone
_IMAGE, _OUT = "image.dcm", "results"


def connect(address: str | None, cores: int) -> None:
    """Join the Ray cluster at `address` ("auto", "host:port", "ray://…"), or start one on this machine when None.

    cores : that the workers of one started here may take together.

    Ray's own processes cannot be kept to loopback. What is started here answers only who knows a token, made anew for each
    process; a cluster that is joined has whatever protection it was started with (Ray's RAY_AUTH_TOKEN).
    Raises `InputError` when Ray is not installed or no cluster answers there.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to Ray's makers
    if not address:  # before Ray is imported, which reads it once
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError(
            "--ray needs the package ray; install it with 'pip install osteoscreen[gateway]'.", "packages"
        ) from error
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=cores,
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"Ray could not be reached or started ({' '.join(str(error).split())[:200]}).", "ray") from error


def disconnect() -> None:
    """Leave the cluster, and end it when it was started here."""
    import ray

    ray.shutdown()


class RemotePipeline:
    """What lives in one Ray worker: the inference process's own pipeline, with warm models. options : of `analyse`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # no network unless the user starts it
        from OsteoScreenLib.worker.pipeline import Pipeline

        self._options = dict(options)
        self._handlers = Pipeline(threading.Lock()).handlers()

    def warm(self) -> dict[str, Any]:
        """Load the models. Returns {"osteoscreen": version}, or {"error": …} as the worker's protocol describes it."""
        return {"osteoscreen": __version__, **self._answer("load", {"command": "analyse"})}

    def analyse(self, image: bytes) -> dict[str, Any]:
        """Analyse a DICOM file. Returns {"files": kind → (name, bytes)}, or {"error": …}."""
        with tempfile.TemporaryDirectory(prefix="osteoscreen-") as folder:
            path, out = Path(folder) / _IMAGE, Path(folder) / _OUT
            path.write_bytes(image)
            answer = self._answer("analyse", {"path": str(path), "out": str(out)})
            if "error" in answer:
                return answer
            files = {kind: Path(name) for kind, name in answer["files"].items()}
            return {"files": {kind: (name.name, name.read_bytes()) for kind, name in files.items()}}

    def _answer(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        from OsteoScreenLib.worker.protocol import Message
        from OsteoScreenLib.worker.server import describe

        try:
            return self._handlers[kind](Message(kind, {**self._options, **body}), lambda stage, share, words: None).body
        except Exception as error:
            return {"error": describe(error)}


class RayAnalyser:
    """An analyser in a Ray worker.

    gpus : of the cluster's that it holds. seconds : patience with one image. threads : of the processor, as for `ProcessAnalyser`.
    """

    def __init__(self, options: Mapping[str, Any], seconds: float, gpus: float = 0.0, threads: int = 1) -> None:
        import ray

        held = {
            "num_cpus": 0 if gpus else threads,
            "num_gpus": gpus,
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(threads)}},
        }
        self._make = lambda: ray.remote(RemotePipeline).options(**held).remote(dict(options))
        self._seconds = seconds
        self._actor: Any = None

    def warm(self, leave: threading.Event) -> None:
        """See `Analyser`."""
        version = self._ask("warm", (), leave)["osteoscreen"]
        if version != __version__:  # other results under the same names would be sent
            raise InputError(
                f"A Ray worker runs OsteoScreen {version}, and this is {__version__}; install the same there.", "version"
            )

    def analyse(self, image: Path, out: Path, following: Path | None, leave: threading.Event) -> Mapping[str, Path]:
        """See `Analyser`. `following` is of no use here."""
        from OsteoScreenLib.files import write_bytes

        files: Mapping[str, Sequence[Any]] = self._ask("analyse", (image.read_bytes(),), leave)["files"]
        out.mkdir(parents=True, exist_ok=True)
        return {kind: write_bytes(out / Path(name).name, data) for kind, (name, data) in files.items()}

    def close(self) -> None:
        """See `Analyser`."""
        self._end()

    def _ask(self, what: str, arguments: tuple[Any, ...], leave: threading.Event) -> Mapping[str, Any]:
        import ray

        if self._actor is None:
            self._actor = self._make()
        waited, reference = 0.0, getattr(self._actor, what).remote(*arguments)
        while not ray.wait([reference], timeout=_POLL_SECONDS)[0]:
            waited += _POLL_SECONDS
            if leave.is_set():
                self._end()
                raise GivenBack("The gateway is leaving; the radiograph is analysed after the next start.")
            if waited > self._seconds:
                self._end()
                raise WorkerFault(f"A Ray worker gave no answer within {self._seconds:g} s; it was ended.", code="timeout")
        try:
            answer: Mapping[str, Any] = ray.get(reference)
        except Exception as error:  # its machine is gone, or it was killed
            self._end()
            raise OsteoScreenError(f"A Ray worker was lost ({type(error).__name__}).") from error
        if "error" in answer:
            wrong = answer["error"]
            if wrong["kind"] == "input":
                raise InputError(wrong["sentence"], code=wrong["code"])
            raise WorkerFault(wrong["sentence"], code=wrong["code"], details=wrong["details"])
        return answer

    def _end(self) -> None:
        import contextlib

        import ray

        actor, self._actor = self._actor, None
        if actor is not None:
            with contextlib.suppress(Exception):
                ray.kill(actor)
