"""`osteoscreen models`, `bench start`, `--version`: light commands, one sentence each when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import make_classifier_bundle

from OsteoScreenLib import __version__, cli
from OsteoScreenLib.worker import model_folders


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OSTEOSCREEN_MODELS", str(tmp_path / "mine"))
    monkeypatch.setenv("OSTEOSCREEN_LOGS", str(tmp_path / "logs"))
    return tmp_path / "mine"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier_bundle(tmp_path_factory.mktemp("given") / "tiny").folder


def says(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out.strip(), captured.err.strip()


def test_add_list_verify_remove(mine: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert says(capsys, "models", "add", str(bundle)) == (0, f"tiny: added to {mine / 'tiny'}", "")
    assert {path.name for path in (mine / "tiny").iterdir()} == {"manifest.json", "weights.safetensors", "card.md"}
    code, out, _ = says(capsys, "models", "list", "--json")
    entry = next(entry for entry in json.loads(out)["models"] if entry["id"] == "tiny")
    assert code == 0 and entry["verified"] and not entry["embedded"] and entry["kind"] == "classifier"
    assert "tiny: classifier, A classifier for tests (yours, verified)" in says(capsys, "models", "list")[1]
    assert says(capsys, "models", "verify", "tiny") == (0, "tiny: verified, unchanged", "")
    assert model_folders.find_model("tiny", "classifier") == mine / "tiny"
    code, _, err = says(capsys, "models", "add", str(bundle))
    assert code == 2 and err == "A model with the id tiny is there already; remove it first."
    code, _, err = says(capsys, "models", "remove", "tiny")
    assert code == 2 and "say --yes" in err and (mine / "tiny").is_dir()
    assert says(capsys, "models", "remove", "tiny", "--yes")[0] == 0
    assert not (mine / "tiny").exists()


def test_a_damaged_model_is_not_added_and_is_found_later(
    mine: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bundle, broken)
    data = bytearray((broken / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (broken / "weights.safetensors").write_bytes(data)
    code, _, err = says(capsys, "models", "add", str(broken))
    assert code == 2 and "weights.safetensors" in err and "\n" not in err
    assert not mine.exists() or list(mine.iterdir()) == []
    shutil.copytree(broken, mine / "tiny")
    assert "damaged" in says(capsys, "models", "list")[1]
    code, out, _ = says(capsys, "models", "verify", "tiny", "--json")
    assert code == 2 and json.loads(out)["models"][0]["code"] == "bundle-altered"


def test_models_that_cannot_be_removed(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").mkdir()
    for name in ("../precious", str(tmp_path / "precious"), "..", ".", "", "nothing"):
        code, _, err = says(capsys, "models", "remove", name, "--yes")
        assert code == 2 and err.startswith("There is no model"), name
    assert (tmp_path / "precious").is_dir()
    for folder in model_folders.embedded_folder().iterdir():
        code, _, err = says(capsys, "models", "remove", folder.name, "--yes")
        assert code == 2 and err.endswith("cannot be removed.") and folder.is_dir()


def test_every_embedded_model_verifies() -> None:
    entries = [entry for entry in model_folders.list_models() if entry.embedded]
    if not entries:
        pytest.skip("the embedded models are not in this copy")
    assert all(entry.bundle for entry in entries), [entry.problem for entry in entries]


def test_an_unexpected_fault_is_one_sentence_and_a_log(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("a surprise\nin two lines")

    monkeypatch.setattr(model_folders, "list_models", fail)
    code, out, err = says(capsys, "models", "list")
    log = tmp_path / "logs" / "osteoscreen.log"
    assert code == 1 and out == ""
    assert err == (
        f"An unexpected fault in OsteoScreen stopped the command (RuntimeError: a surprise in two lines); details are in {log}."
    )
    assert "Traceback" in log.read_text()
    code, _, err = says(capsys, "--debug", "models", "list")
    assert code == 1 and "Traceback" in err


def test_bench_start(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = says(capsys, "bench", "start", "--json")
    figures = json.loads(out)
    assert code == 0 and figures["passed"] and figures["seconds"] <= 0.3 and figures["heavy_imports"] == []
    assert "passed" in says(capsys, "bench", "start")[1]


def test_bench_start_notices_heavy_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    from OsteoScreenLib.benchmarks import start as benchmarks

    monkeypatch.setattr(
        benchmarks, "_PROBE", "import json as torch\nimport json, sys; sys.modules['torch'] = json\n" + benchmarks._PROBE
    )
    figures = benchmarks.measure_start(1)
    assert figures.heavy_imports == ("torch",) and not figures.passed


def test_version_is_quick_and_light() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    code = "import sys; from OsteoScreenLib import cli; cli.main(['--version']); print([m for m in ('torch', 'numpy', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == [f"osteoscreen {__version__}", "[]"]


@pytest.mark.parametrize(
    "arguments", [["analyse"], ["models", "remove"], ["dance"], ["analyse", "x.dcm"], ["models", "verify", "zz"]]
)
def test_wrong_usage_is_one_sentence(mine: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = says(capsys, *arguments)
    assert code == 2
    assert len((out + err).splitlines()) == 1 and "Traceback" not in err
