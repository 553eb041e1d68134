"""The house stands as drawn: one list of requirements, cheap imports, nothing that unpickles, no large files."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LIBRARY = REPOSITORY / "OsteoScreen" / "OsteoScreenLib"
HEAVY = ("torch", "timm", "torchvision", "pytorch_grad_cam", "cv2", "qtpy", "PySide6", "qt", "vtk", "slicer")


def test_the_packaged_requirements_are_the_same_file() -> None:
    packaged = REPOSITORY / "OsteoScreen" / "Resources" / "requirements.txt"
    assert packaged.read_bytes() == (REPOSITORY / "requirements.txt").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-simulate.txt",
        "requirements-study.txt",
        "requirements-gateway.txt",
        "requirements-test.txt",
    ],
)
def test_requirements_are_plain_ranges(name: str) -> None:
    """Slicer's installer accepts ranges only: no inline comments, no index options."""
    from packaging.requirements import Requirement

    for line in (REPOSITORY / name).read_text().splitlines():
        if line and not line.startswith("#"):
            assert not line.startswith("-")
            assert all(specifier.operator == ">=" for specifier in Requirement(line).specifier), line


@pytest.mark.parametrize("module", ["OsteoScreenLib", "OsteoScreenLib.cli", "OsteoScreenLib.workbench.worker_client"])
def test_importing_is_cheap(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps(sorted(set(sys.modules) & set({HEAVY!r}))))"
    environment = {"PYTHONPATH": str(REPOSITORY / "OsteoScreen"), "PATH": ""}
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    assert json.loads(printed) == []


def test_nothing_is_unpickled() -> None:
    """No module imports pickle or a pickle-based loader, or calls torch.load or numpy.load with pickles allowed."""
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                assert not names & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert ast.unparse(node.func) != "torch.load", path
                for keyword in node.keywords:
                    assert keyword.arg != "allow_pickle" or ast.unparse(keyword.value) == "False", path


def test_weights_stay_small() -> None:
    weights = list((REPOSITORY / "OsteoScreen" / "Resources").rglob("*.safetensors"))
    assert sum(path.stat().st_size for path in weights) <= 40_000_000
    suffixes = {path.suffix for path in (REPOSITORY / "OsteoScreen" / "Resources" / "Models").rglob("*") if path.is_file()}
    assert suffixes <= {".safetensors", ".json", ".md"}
