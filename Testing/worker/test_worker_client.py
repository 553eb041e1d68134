"""The client and its child: answers, errors, crashes, cancel, and no process left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.workbench.desk import YIELD_SECONDS
from OsteoScreenLib.workbench.worker_client import WorkerClient, WorkerEnded, WorkerFault

SLOW_WORKER = str(Path(__file__).with_name("slow_worker.py"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WorkerClient]:
    with WorkerClient(arguments=[SLOW_WORKER], log=tmp_path / "logs" / "worker.log") as started:
        yield started


def wait_until_gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_arrays_and_values_come_back_and_stray_prints_do_no_harm(client: WorkerClient) -> None:
    pixels = np.random.default_rng(1).random((300, 200), np.float32)
    for _ in range(2):
        answer = client.request("echo", {"text": "Röntgen"}, {"pixels": pixels})
        assert answer.kind == "result" and answer.body["text"] == "Röntgen"
        np.testing.assert_array_equal(answer.arrays["pixels"], pixels)
    client.close()
    assert "a stray print" in client.stderr_tail and "C library" in client.stderr_tail


def test_one_process_answers_several_requests(client: WorkerClient) -> None:
    first, second = (client.request("echo").body["pid"] for _ in range(2))
    assert first == second == client.process_id


def test_progress_arrives_before_the_answer(client: WorkerClient) -> None:
    seen: list[tuple[str, float, str]] = []
    client.request("sleep", {"seconds": 0.01}, on_progress=lambda *event: seen.append(event))
    assert seen == [("sleep", 0.5, "Sleeping")]


def test_polling_never_blocks(client: WorkerClient) -> None:
    client.submit("sleep", {"seconds": 0.6})
    longest, answer = 0.0, None
    deadline = time.monotonic() + 20
    while answer is None and time.monotonic() < deadline:
        before = time.perf_counter()
        answer = client.poll()
        longest = max(longest, time.perf_counter() - before)
        time.sleep(0.01)
    assert answer is not None and answer.kind == "result"
    assert longest < 0.2 and not client.busy


def test_errors_keep_their_kind_code_and_sentence(client: WorkerClient) -> None:
    with pytest.raises(InputError, match=r"^The file is empty\.$") as refused:
        client.request("fail", {"how": "input"})
    assert refused.value.code == "empty"
    with pytest.raises(WorkerFault, match=r"^The disk is full\.$"):
        client.request("fail", {"how": "fault"})
    with pytest.raises(WorkerFault, match=r"unexpected fault .*KeyError") as fault:
        client.request("fail", {"how": "?"})
    assert "Traceback" in fault.value.details and "\n" not in str(fault.value)
    with pytest.raises(InputError, match="does not know the request 'dance'"):
        client.request("dance")
    assert client.request("echo").kind == "result"


def test_killed_midway_is_one_sentence_and_the_next_request_works(client: WorkerClient) -> None:
    first = client.request("echo").body["pid"]
    client.submit("sleep", {"seconds": 60}, doing="analysing chest.dcm")
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkerEnded, match=r"ended unexpectedly \(signal 9\) while analysing chest\.dcm; [^\n]*\.$"):
        client.wait()
    assert not client.busy
    assert client.request("echo").body["pid"] != first


def test_leaving_midway_gives_the_exit_code_and_keeps_the_last_words(client: WorkerClient, tmp_path: Path) -> None:
    with pytest.raises(WorkerEnded, match=r"\(exit code 7\) while answering 'leave'") as ended:
        client.request("leave")
    assert "last words" in ended.value.details
    assert "last words" in (tmp_path / "logs" / "worker.log").read_text()


def test_a_frame_cut_off_by_the_end_is_an_ended_process(client: WorkerClient) -> None:
    with pytest.raises(WorkerEnded, match=r"exit code 3"):
        client.request("half")


def test_a_damaged_stream_ends_the_process_in_one_sentence(client: WorkerClient) -> None:
    with pytest.raises(WorkerFault, match="does not hold OsteoScreen messages"):
        client.request("garbage")
    assert client.process_id is None
    assert client.request("echo").kind == "result"


def test_a_killed_idle_worker_is_replaced_at_the_next_request(client: WorkerClient) -> None:
    first = client.request("echo").body["pid"]
    os.kill(first, signal.SIGKILL)
    assert wait_until_gone(first)
    while client.process_id is not None:  # its last threads may live a moment longer than its name
        time.sleep(0.01)
    assert client.request("echo").body["pid"] != first


def test_only_one_request_at_a_time(client: WorkerClient) -> None:
    client.submit("sleep", {"seconds": 60}, doing="analysing a.dcm")
    with pytest.raises(OsteoScreenError, match=r"still busy with analysing a\.dcm"):
        client.submit("echo")
    client.cancel()
    assert client.request("echo").kind == "result"


def test_a_message_that_cannot_be_sent_leaves_the_client_free(client: WorkerClient) -> None:
    with pytest.raises(OsteoScreenError, match="JSON"):
        client.request("echo", {"value": float("nan")})
    assert client.request("echo").kind == "result"


def test_cancel_ends_the_process_at_once(client: WorkerClient) -> None:
    client.submit("sleep", {"seconds": 60})
    pid = client.process_id
    assert pid is not None
    before = time.monotonic()
    client.cancel()
    assert time.monotonic() - before < 5 and not psutil.pid_exists(pid)


def test_cancel_may_leave_a_file_to_be_finished(client: WorkerClient, tmp_path: Path) -> None:
    client.submit("write", {"path": str(tmp_path / "results.txt")})
    pid = client.process_id
    assert pid is not None
    progress: list[float] = []
    while not progress:
        client.poll(lambda stage, fraction, sentence: progress.append(fraction))
        time.sleep(0.01)
    before = time.monotonic()
    client.cancel(0.05, finish_files=True)
    assert time.monotonic() - before < 0.4 and not client.busy
    assert client.request("echo").body["pid"] != pid  # meanwhile the next one works
    assert wait_until_gone(pid)
    assert (tmp_path / "results.txt").read_text() == "part\n" * 10


def test_a_message_is_sent_while_the_caller_does_something_else(client: WorkerClient) -> None:
    """40 MB, many times what a pipe holds, to a child that is still starting."""
    pixels = np.random.default_rng(1).random((2500, 4000), np.float32)
    client.start()
    before = time.perf_counter()
    client.submit("echo", {}, {"pixels": pixels})
    assert time.perf_counter() - before < 0.2
    np.testing.assert_array_equal(client.wait().arrays["pixels"], pixels)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a C library's sleep that keeps the interpreter lock")
def test_messages_move_where_the_window_keeps_the_interpreter_lock(client: WorkerClient) -> None:
    """As 3D Slicer's event loop does while it idles: threads run only in the few milliseconds that a timer sleeps."""
    keep_lock = ctypes.PyDLL(None).usleep
    pixels = np.random.default_rng(1).random((2000, 2000), np.float32)
    client.request("echo")
    client.submit("echo", {}, {"pixels": pixels})
    answer, turns = None, 0
    while answer is None and turns < 300:
        turns += 1
        time.sleep(YIELD_SECONDS)
        answer = client.poll()
        keep_lock(20_000)
    assert answer is not None, "16 MB to the worker and back did not arrive within 300 turns of 24 ms"
    np.testing.assert_array_equal(answer.arrays["pixels"], pixels)


def test_timeout_only_where_asked(client: WorkerClient) -> None:
    client.request("echo")
    with pytest.raises(WorkerFault, match=r"no answer within 0\.3 s while answering 'sleep'"):
        client.request("sleep", {"seconds": 60}, timeout=0.3)
    assert client.request("echo").kind == "result"


def test_close_leaves_no_process(client: WorkerClient) -> None:
    pid = client.request("echo").body["pid"]
    client.close()
    client.close()
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    "request_line", ["client.request('echo')", "client.request('echo'); client.submit('sleep', {'seconds': 60})"]
)
def test_the_worker_ends_when_the_parent_is_killed(request_line: str) -> None:
    script = f"""
        import sys, time
        from OsteoScreenLib.workbench.worker_client import WorkerClient
        client = WorkerClient(arguments=[{SLOW_WORKER!r}])
        {request_line}
        print(client.process_id, flush=True)
        time.sleep(60)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert psutil.pid_exists(worker)
    finally:
        parent.kill()
        parent.communicate()
    assert wait_until_gone(worker)


def test_an_interpreter_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    client = WorkerClient(tmp_path / "PythonSlicer")
    with pytest.raises(WorkerFault, match=r"could not be started with .*PythonSlicer: No such file"):
        client.request("hello")
    with pytest.raises(WorkerFault, match=r"^The network process could not be started with"):
        WorkerClient(tmp_path / "PythonSlicer", name="network process").request("hello")


def test_the_client_needs_no_torch() -> None:
    code = "import sys, OsteoScreenLib.workbench.worker_client; print([m for m in ('torch', 'cv2', 'pydicom') if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
