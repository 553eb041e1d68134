"""What `make_ready` does inside Slicer: check, ask, install through the right door, check again, explain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from extension.slicer_stand_in import Application

from OsteoScreenLib.hosts import library_report, slicer_install
from OsteoScreenLib.hosts.library_report import Report
from OsteoScreenLib.hosts.slicer_install import Libraries
from OsteoScreenLib.worker import library_check

VERSIONS = dict.fromkeys((*library_check.MODULES, *library_check.NOT_IMPORTED), "99.0")
BARE = {"numpy": "2.4.6", "SimpleITK": "2.5.3", "pydicom": "3.0.2", "vtk": "9.6.0", "psutil": "7.2.2"}
COMPLETE = Report(versions={**VERSIONS, **BARE, "torch": "2.9.1+cu128"})


class Kept:
    """A host's settings."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def remember(self, key: str, value: str) -> None:
        self.values[key] = value

    def remembered(self, key: str, default: str) -> str:
        return self.values.get(key, default)


class Scene:
    """Scripted answers of the check, and the doors through which something can be installed."""

    def __init__(self, application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
        self.application, self.monkeypatch = application, monkeypatch
        self.reports: list[Report] = []
        self.checks = 0
        self.torch_asked: list[dict[str, Any]] = []
        self.ensured: list[tuple[list[str], dict[str, Any], str]] = []
        self.torch_answer: Callable[[], Any] = lambda: ModuleType("torch")
        self.pip_answer: Callable[[], None] = lambda: None
        self.settings = Kept()
        monkeypatch.setattr(library_report, "ask", self._ask)
        monkeypatch.setattr(library_report, "index_reachable", lambda *_: True)
        self.libraries = self.fresh()

    def fresh(self) -> Libraries:
        """As after a start of Slicer."""
        return Libraries(lambda: Path(self.application.slicerHome) / "bin" / "PythonSlicer", self.settings)

    def _ask(self, python: Path, meanwhile: Callable[[], None]) -> Report:
        meanwhile()
        self.checks += 1
        return self.reports.pop(0)

    def with_pytorch_extension(self) -> Scene:
        """The PyTorch extension is installed."""
        scene = self

        class Logic:
            def installTorch(self, **arguments: Any) -> Any:
                scene.torch_asked.append(arguments)
                return scene.torch_answer()

        module = ModuleType("PyTorchUtils")
        module.PyTorchUtilsLogic = Logic  # type: ignore[attr-defined]
        self.monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
        return self

    def with_packaging(self) -> Scene:
        """Slicer 5.12 and newer."""

        def pip_ensure(requirements: list[str], **arguments: Any) -> None:
            self.ensured.append((requirements, arguments, Path(arguments["constraints"]).read_text()))
            self.pip_answer()

        module = ModuleType("slicer.packaging")
        module.pip_ensure = pip_ensure  # type: ignore[attr-defined]
        self.monkeypatch.setitem(sys.modules, "slicer.packaging", module)
        return self


@pytest.fixture
def scene(application: Application, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(application, monkeypatch).with_packaging().with_pytorch_extension()


def missing(*names: str, **versions: str) -> Report:
    present = {name: version for name, version in {**COMPLETE.versions, **versions}.items() if name not in names}
    return Report(versions=present, missing=names)


def test_when_all_is_there_nobody_is_asked_and_the_check_is_not_repeated(scene: Scene) -> None:
    scene.reports = [COMPLETE]
    assert scene.libraries.make_ready() == "" and scene.libraries.make_ready() == ""
    assert scene.fresh().make_ready() == "", "the next start of Slicer"
    assert scene.checks == 1 and scene.application.questions == [] and scene.ensured == [] and scene.application.rounds == 1


def test_another_installation_or_a_fault_of_the_worker_is_checked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.reports = [COMPLETE] * 3
    assert scene.libraries.make_ready() == ""
    scene.libraries.distrust()
    assert scene.libraries.make_ready() == "" and scene.checks == 2
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1" if name == "torch" else "1.0")
    assert scene.fresh().make_ready() == "" and scene.checks == 3


def test_missing_packages_are_named_sized_and_installed_after_consent(scene: Scene) -> None:
    scene.reports = [missing("torch", "torchvision", "timm", "grad-cam"), missing("timm", "grad-cam"), COMPLETE]
    assert scene.libraries.make_ready() == ""
    ((text, title, details),) = scene.application.questions
    assert "timm" in text and "torch>=2.4" in text and "torchvision" in text and " GB" in text and "NVIDIA" in text
    assert "Images never leave this computer" in text and "OsteoScreen" in title and details.splitlines()[0] == "torch>=2.4"
    assert scene.torch_asked == [{"askConfirmation": False, "torchVersionRequirement": ">=2.4"}]
    ((targets, arguments, constraints),) = scene.ensured
    assert targets == ["timm>=1.0.12", "grad-cam>=1.5.5"]
    assert arguments["prompt_install"] is False and arguments["requester"] == "OsteoScreen"
    assert "torch==2.9.1+cu128\n" in constraints and "numpy==2.4.6\n" in constraints and "simpleitk==2.5.3\n" in constraints
    assert "pydicom==3.0.2\n" in constraints and "vtk==9.6.0\n" in constraints
    assert not Path(arguments["constraints"]).exists(), "nothing is left behind"
    assert scene.application.statuses[-1] == ""


def test_constraints_are_never_install_targets(scene: Scene) -> None:
    everything = [requirement.name for requirement in scene.libraries.requirements()]
    others = [name for name in everything if name not in slicer_install.CONSTRAINTS]
    scene.reports = [missing(*others), COMPLETE]
    assert scene.libraries.make_ready() == ""
    assert scene.torch_asked == []
    names = {target.split(">=")[0] for target in scene.ensured[0][0]}
    assert names == set(others) and not names & {"torch", "torchvision", "numpy", "SimpleITK", "pydicom", "vtk"}


def test_without_consent_nothing_is_installed(scene: Scene) -> None:
    scene.reports = [missing("timm")] * 2
    scene.application.consents = False
    for _ in range(2):
        assert scene.libraries.make_ready().startswith("Nothing was installed")
    assert scene.ensured == [] and len(scene.application.questions) == 2 and scene.settings.values == {}


def test_without_the_pytorch_extension_one_sentence_says_where_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "PyTorchUtils")
    scene.reports = [missing("torch", "torchvision")]
    assert "PyTorch extension; install it in the Extensions Manager" in scene.libraries.make_ready()
    assert scene.application.questions == [] and scene.ensured == []


def test_an_older_slicer_installs_through_its_own_pip_with_constraints(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    monkeypatch.delitem(sys.modules, "slicer.packaging")
    calls: list[tuple[list[str], str]] = []
    monkeypatch.setattr(slicer.util, "pip_install", lambda line: calls.append((line, Path(line[1]).read_text())))
    scene.reports = [missing("timm"), COMPLETE]
    assert scene.libraries.make_ready() == ""
    ((line, constraints),) = calls
    assert line[0] == "--constraint" and line[2:] == ["timm>=1.0.12"] and "torch==2.9.1+cu128" in constraints


def test_what_slicer_itself_brings_is_not_replaced(scene: Scene) -> None:
    scene.reports = [missing(pydicom="2.4.4")]
    assert "needs pydicom>=3.0.1, and this Slicer has 2.4.4; use 3D Slicer 5.12" in scene.libraries.make_ready()
    assert scene.application.questions == []


def test_a_torch_that_is_too_old_is_not_touched(scene: Scene) -> None:
    scene.reports = [missing(torch="2.1.0+cpu")]
    assert (
        "torch>=2.4, and 2.1.0+cpu is installed; uninstall PyTorch in the module PyTorch Util" in scene.libraries.make_ready()
    )
    assert scene.torch_asked == []


def test_a_broken_torch_is_explained_and_left_alone(scene: Scene) -> None:
    scene.reports = [Report(versions=COMPLETE.versions, broken={"torch": ("ImportError", "No module named 'torch._C'")})]
    assert scene.libraries.make_ready().startswith("PyTorch is only half installed")
    assert scene.application.questions == [] and scene.torch_asked == [] and scene.settings.values == {}


def test_a_torch_that_breaks_while_it_is_installed_is_explained(scene: Scene) -> None:
    def fails() -> None:
        raise OSError("[WinError 126] The specified module could not be found: c10.dll")

    scene.torch_answer = fails
    scene.reports = [missing("torch", "torchvision")]
    assert "Visual C++ Redistributable" in scene.libraries.make_ready()


def test_a_refusal_in_the_pytorch_extension_is_a_refusal(scene: Scene) -> None:
    scene.torch_answer = lambda: None
    scene.reports = [missing("torch", "torchvision", "timm")]
    assert scene.libraries.make_ready().startswith("PyTorch was not installed")
    assert scene.ensured == []


def pip_fails() -> None:
    raise subprocess.CalledProcessError(2, "pip install")


def test_offline_one_sentence_names_the_folder_of_wheels(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_report, "index_reachable", lambda *_: False)
    scene.pip_answer = pip_fails
    scene.reports = [missing("timm")]
    sentence = scene.libraries.make_ready()
    assert "pypi.org cannot be reached" in sentence and "pip wheel -r requirements.txt -w wheels" in sentence
    assert "--no-index --find-links wheels" in sentence and "PythonSlicer" in sentence and "\n" not in sentence


def test_a_failed_installation_says_so_and_can_be_tried_again(scene: Scene) -> None:
    scene.pip_answer = pip_fails
    scene.reports = [missing("timm"), missing("timm"), COMPLETE]
    assert "could not be installed (pip ended with code 2)" in scene.libraries.make_ready()
    scene.pip_answer = lambda: None
    assert scene.libraries.make_ready() == ""


def test_windows_paths_that_are_too_deep_are_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slicer_install, "_path_too_deep", lambda: True)
    scene.pip_answer = pip_fails
    scene.reports = [missing("timm")]
    assert "paths longer than 260 characters; install Slicer in a short folder" in scene.libraries.make_ready()


def test_packages_that_are_missing_after_all_are_named(scene: Scene) -> None:
    scene.reports = [missing("timm", "peft"), missing("peft")]
    assert scene.libraries.make_ready().startswith("Still missing after the installation: peft")


def test_nothing_is_installed_while_slicer_is_tested(scene: Scene) -> None:
    scene.application.testing = True
    scene.reports = [missing("timm")]
    assert scene.libraries.make_ready() == "Nothing is installed while Slicer is being tested; missing: timm>=1.0.12."
    assert scene.application.questions == [] and scene.ensured == []


def test_pressed_twice_while_it_runs(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window's events run during the check, so the button can be pressed again."""
    second: list[str] = []

    def ask(*_: Any) -> Report:
        second.append(scene.libraries.make_ready())
        return COMPLETE

    monkeypatch.setattr(library_report, "ask", ask)
    assert scene.libraries.make_ready() == ""
    assert second == ["The Python packages are being checked or installed; wait until that is done."]


def test_a_slicer_without_its_python_is_said(scene: Scene) -> None:
    (Path(scene.application.slicerHome) / "bin" / "PythonSlicer").unlink()
    assert scene.libraries.make_ready().endswith("install Slicer again.")


def test_importing_the_module_asks_and_imports_nothing() -> None:
    program = "import sys, OsteoScreenLib.hosts.slicer_install; print(sorted({'slicer', 'torch', 'qt', 'PyTorchUtils'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
