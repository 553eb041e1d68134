"""Ray: two workers on this machine give what one process gives, and a worker that is lost costs nothing but time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.gateway.analysers import GivenBack, ProcessAnalyser
from OsteoScreenLib.gateway.rehearsal import data_set, pieces

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="ray (requirements-gateway.txt) is not installed here")

OPTIONS = {"objects": ["seg", "sr", "sc"], "device": "cpu"}


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    from OsteoScreenLib.gateway import ray_workers

    ray_workers.connect(None, 2)
    yield
    ray_workers.disconnect()


@pytest.mark.usefixtures("_cluster")
def test_two_ray_workers_give_the_results_of_one_process(tmp_path: Path) -> None:
    from pydicom import dcmread

    from OsteoScreenLib.exchange.dicom.read_report import read_report
    from OsteoScreenLib.gateway.ray_workers import RayAnalyser

    never = threading.Event()
    images = []
    for piece in pieces(4, 0, seed=5):
        images.append(tmp_path / f"{piece.number}.dcm")
        images[-1].write_bytes(data_set(piece))
    workers = [RayAnalyser(OPTIONS, 300), RayAnalyser(OPTIONS, 300)]

    def work(number: int) -> None:
        workers[number].warm(never)
        for image in images[number::2]:
            workers[number].analyse(image, tmp_path / "ray" / image.stem, None, never)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = ProcessAnalyser(OPTIONS, 300, threads=1)
    try:
        for image in images:
            alone.analyse(image, tmp_path / "one" / image.stem, None, never)
    finally:
        alone.close()
    for image in images:
        ray, one = tmp_path / "ray" / image.stem, tmp_path / "one" / image.stem
        assert sorted(path.name for path in ray.iterdir()) == ["sc.dcm", "seg.dcm", "sr.dcm"]
        for kind in ("seg", "sr", "sc"):
            left, right = dcmread(ray / f"{kind}.dcm"), dcmread(one / f"{kind}.dcm")
            assert left.SOPInstanceUID == right.SOPInstanceUID
            assert left.get("PixelData") == right.get("PixelData")
        left_result, right_result = read_report(ray / "sr.dcm"), read_report(one / "sr.dcm")
        assert left_result.prediction == right_result.prediction
    with pytest.raises(InputError) as refused:
        noise = tmp_path / "noise.dcm"
        noise.write_bytes(data_set(pieces(0, 1, seed=1)[0]))
        workers[0].analyse(noise, tmp_path / "noise", None, never)
    assert refused.value.code
    leave = threading.Event()
    leave.set()
    with pytest.raises(GivenBack):  # ends the worker; the next call starts another
        workers[1].analyse(images[0], tmp_path / "left", None, leave)
    workers[1].analyse(images[0], tmp_path / "again", None, never)
    for worker in workers:
        worker.close()


@pytest.mark.usefixtures("_cluster")
def test_a_lost_worker_is_a_fault_worth_another_attempt(tmp_path: Path) -> None:
    import ray

    from OsteoScreenLib.gateway.ray_workers import RayAnalyser

    worker = RayAnalyser(OPTIONS, 60)
    worker.warm(threading.Event())
    image = tmp_path / "image.dcm"
    image.write_bytes(data_set(pieces(1, 0, seed=2)[0]))
    ray.kill(worker._actor)
    with pytest.raises(OsteoScreenError, match="lost"):
        worker.analyse(image, tmp_path / "out", None, threading.Event())
    assert set(worker.analyse(image, tmp_path / "out", None, threading.Event())) == {"seg", "sr", "sc"}
    worker.close()


def test_a_cluster_that_does_not_answer_is_said_in_one_sentence() -> None:
    from OsteoScreenLib.gateway import ray_workers

    with pytest.raises(InputError, match="Ray could not be reached"):
        ray_workers.connect("nonsense", 1)


@pytest.mark.usefixtures("_cluster")
def test_a_cluster_started_here_answers_nobody_without_its_token() -> None:
    """Ray's daemons listen on every address of the machine, so a stranger on the network must get nothing from them."""
    import subprocess
    import sys

    import ray

    address = ray.get_runtime_context().gcs_address
    stranger = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")} | {
        "RAY_AUTH_MODE": "disabled"
    }
    code = f"import ray; ray.init(address={address!r}, log_to_driver=False); print('IN', ray.cluster_resources())"
    tried = subprocess.run([sys.executable, "-c", code], env=stranger, capture_output=True, text=True, timeout=120, check=False)
    assert tried.returncode != 0 and "IN" not in tried.stdout.split()
