"""Makes the libraries of an analysis available inside 3D Slicer, when they are first needed and with the user's consent.

torch and torchvision come through the PyTorch extension, which chooses the build for the machine's GPU. What Slicer brings itself
is never installed but held fast. Everything else is in Resources/requirements.txt and comes through Slicer's own installer.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import logging
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.hosts import library_report
from OsteoScreenLib.hosts.library_report import PYTORCH_UTIL, Report

FROM_PYTORCH_EXTENSION = ("torch", "torchvision")
FROM_SLICER = ("numpy", "SimpleITK", "pydicom", "highdicom", "vtk")
CONSTRAINTS = (*FROM_PYTORCH_EXTENSION, *FROM_SLICER)
"""Never install targets here, and held at their version while anything else is installed."""

TITLE = "OsteoScreen - install Python packages"
READY_KEY = "libraries-ready"
LONGEST_PATH_IN_TORCH = 130  # characters below site-packages, its headers and kernels (119 measured); Windows allows 259
AGAIN = "press Analyse to be asked again"


class Settings(Protocol):
    """The part of a host that keeps values beyond this run."""

    def remember(self, key: str, value: str) -> None: ...

    def remembered(self, key: str, default: str) -> str: ...


class Libraries:
    """The libraries of the worker's Python, inside Slicer.

    python : tells which Python the worker runs in. settings : keeps that a check was passed, so that it is not repeated at every
    start. requirements : the packaged requirements.txt.
    """

    def __init__(self, python: Callable[[], Path], settings: Settings, requirements: Path | None = None) -> None:
        self._python, self._settings = python, settings
        self._file = requirements or resource_folder() / "requirements.txt"
        self._ready = self._running = False

    @property
    def known_ready(self) -> bool:
        """A check was passed and nothing was installed or removed since; asks nobody and starts nothing."""
        return self._ready or self._settings.remembered(READY_KEY, "") == self._fingerprint()

    def make_ready(self) -> str:
        """ "" when everything is there, else one sentence. Asks, installs and checks where something is missing."""
        if self._ready:
            return ""
        if self._running:
            return "The Python packages are being checked or installed; wait until that is done."
        self._running = True
        try:
            if not self.known_ready:
                self._check_and_install()
                self._settings.remember(READY_KEY, self._fingerprint())
            self._ready = True
            return ""
        except OsteoScreenError as error:
            return str(error)
        finally:
            self._running = False

    def distrust(self) -> None:
        """Check again before the next analysis: the worker ended in a way that a broken library explains."""
        self._ready = False
        self._settings.remember(READY_KEY, "")

    def requirements(self) -> list[Requirement]:
        """What an analysis needs, from the packaged file."""
        lines = self._file.read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in map(str.strip, lines) if line and not line.startswith("#")]

    def _check_and_install(self) -> None:
        python = self._python()
        if not python.is_file():
            raise OsteoScreenError(f"Slicer's Python was not found at {python}; install Slicer again.")
        report = self._checked(python)
        targets, torch = self._wanted(report)
        if targets or torch:
            self._consent(targets, torch)
            try:
                if torch:
                    self._install_torch()
                if targets:
                    report = self._checked(python) if torch else report  # with the version of torch that was just installed
                    self._install(targets, report)
            except OsteoScreenError:
                raise
            except Exception as error:
                raise OsteoScreenError(self._why_it_failed(error)) from error
            report = self._checked(python)
        problem = library_report.what_is_broken(report)
        if problem:
            raise OsteoScreenError(problem)
        if report.missing:
            raise OsteoScreenError(
                f"Still missing after the installation: {_listed(report.missing)}; start Slicer again and press Analyse."
            )

    def _checked(self, python: Path) -> Report:
        with _busy("OsteoScreen checks its Python packages …") as meanwhile:
            try:
                return library_report.ask(python, meanwhile)
            except OSError as error:
                raise OsteoScreenError(f"Slicer's Python at {python} does not start: {error.strerror or error}.") from error

    def _wanted(self, report: Report) -> tuple[list[Requirement], Requirement | None]:
        """What to install and whether torch is among it. Raises where installing would not help or is not ours to do."""
        problem = library_report.what_is_broken(report)
        if problem:
            raise OsteoScreenError(problem)
        targets, torch = [], None
        for requirement in self.requirements():
            installed = report.versions.get(requirement.name)
            too_old = installed is not None and not requirement.specifier.contains(installed, prereleases=True)
            absent = requirement.name in report.missing
            if not (absent or too_old):
                continue
            if requirement.name in FROM_SLICER:
                raise OsteoScreenError(
                    f"OsteoScreen needs {requirement}, and this Slicer has {installed or 'none'}; use 3D Slicer 5.12 or newer."
                )
            if requirement.name in FROM_PYTORCH_EXTENSION:
                if too_old:
                    raise OsteoScreenError(
                        f"OsteoScreen needs {requirement}, and {installed} is installed; uninstall PyTorch in {PYTORCH_UTIL}, "
                        "start Slicer again and press Analyse."
                    )
                torch = next(one for one in self.requirements() if one.name == "torch")
            else:
                targets.append(requirement)
        return targets, torch

    def _consent(self, targets: list[Requirement], torch: Requirement | None) -> None:
        import slicer

        names = [str(requirement) for requirement in targets]
        if torch is not None:
            _pytorch_utils()
            names = [str(torch), "torchvision", *names]
        if slicer.app.testingEnabled():
            raise OsteoScreenError(f"Nothing is installed while Slicer is being tested; missing: {_listed(names)}.")
        size = "about 0.3 GB" if torch is None else "about 0.5 GB, or 3 GB where there is an NVIDIA GPU"
        text = (
            f"To analyse radiographs, OsteoScreen installs {len(names)} Python packages into this Slicer:\n\n"
            f"{_listed(names)}\n\nThey are downloaded from pypi.org"
            + (" and pytorch.org" if torch is not None else "")
            + f", {size}, and stay until you uninstall them. Images never leave this computer. Install them now?"
        )
        if not slicer.util.confirmOkCancelDisplay(text, TITLE, detailedText="\n".join(names)):
            raise OsteoScreenError(f"Nothing was installed, so no radiograph can be read yet; {AGAIN}.")

    def _install_torch(self) -> None:
        torch = next(requirement for requirement in self.requirements() if requirement.name == "torch")
        with _busy("Installing PyTorch; this takes several minutes …"):
            logic = _pytorch_utils().PyTorchUtilsLogic()
            installed = logic.installTorch(askConfirmation=False, torchVersionRequirement=str(torch.specifier))
        if installed is None:
            raise OsteoScreenError(f"PyTorch was not installed; {AGAIN}.")

    def _install(self, targets: list[Requirement], report: Report) -> None:
        import slicer

        with _constraints_file(report) as constraints, _busy("Installing Python packages …"):
            try:
                packaging: Any = importlib.import_module("slicer.packaging")
            except ModuleNotFoundError:  # Slicer before 5.12
                slicer.util.pip_install(["--constraint", str(constraints), *map(str, targets)])
            else:
                # The question was asked already, with what it is for and how large it is.
                packaging.pip_ensure(
                    [str(target) for target in targets], constraints=constraints, prompt_install=False, requester="OsteoScreen"
                )

    def _why_it_failed(self, error: Exception) -> str:
        logging.error("OsteoScreen: the installation of Python packages failed: %s: %s", type(error).__name__, error)
        text = f"{error}".lower()
        if isinstance(error, (ImportError, OSError)) and not isinstance(error, subprocess.SubprocessError):
            found = library_report.what_is_broken(Report(broken={"torch": (type(error).__name__, str(error))}))
            if "winerror" in text or "dll" in text or "torch" in text:
                return found
        if _path_too_deep():
            return (
                "The Python packages could not be installed, because Windows refuses paths longer than 260 characters; install "
                "Slicer in a short folder such as C:\\Slicer, or switch on long paths in Windows, and press Analyse again."
            )
        with _busy("") as meanwhile:
            online = library_report.index_reachable(self._python(), meanwhile)
        if not online:
            return (
                "The Python packages could not be downloaded, because pypi.org cannot be reached; on a connected computer with the "
                f"same system and Python {sys.version_info[0]}.{sys.version_info[1]} run 'pip wheel -r requirements.txt -w wheels', "
                f'bring the folder here and run \'"{self._python()}" -m pip install --no-index --find-links wheels -r '
                f'"{self._file}"\'.'
            )
        return (
            f"The Python packages could not be installed ({_reason(error)}); the Python console shows why, often a full disk or a "
            "folder that may not be written to; press Analyse to try again."
        )

    def _fingerprint(self) -> str:
        """Changes with Slicer's Python, the requirements and what is installed."""
        importlib.invalidate_caches()
        parts = [str(self._python()), sys.version, self._file.read_text(encoding="utf-8")]
        for requirement in self.requirements():
            try:
                parts.append(f"{requirement.name} {importlib.metadata.version(requirement.name)}")
            except importlib.metadata.PackageNotFoundError:
                parts.append(f"{requirement.name} none")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _pytorch_utils() -> Any:
    """The module of the PyTorch extension; importing it does not import torch."""
    try:
        return importlib.import_module("PyTorchUtils")
    except ModuleNotFoundError as error:
        raise OsteoScreenError(
            "OsteoScreen needs the PyTorch extension; install it in the Extensions Manager, start Slicer again and press Analyse."
        ) from error


@contextmanager
def _busy(sentence: str) -> Iterator[Callable[[], None]]:
    """Says in the status bar what is going on; the window stays alive when the callable is called again and again."""
    import slicer

    _show_status(sentence)
    try:
        yield slicer.app.processEvents
    finally:
        _show_status("")


def _show_status(sentence: str) -> None:
    import slicer

    try:
        slicer.util.showStatusMessage(sentence)
    except (AttributeError, ImportError, RuntimeError):  # no main window
        logging.info(sentence)


@contextmanager
def _constraints_file(report: Report) -> Iterator[Path]:
    """A file for pip that holds what Slicer and the PyTorch extension brought at the installed version."""
    lines = []
    for name in CONSTRAINTS:
        version = report.versions.get(name, "")
        try:
            lines.append(f"{canonicalize_name(name)}=={Version(version)}\n")
        except InvalidVersion:  # not installed, or a version that pip would not understand
            continue
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("".join(lines), encoding="utf-8")
        yield path


def _path_too_deep() -> bool:
    """Windows with short paths only, and a site-packages folder too deep for torch."""
    if sys.platform != "win32":
        return False
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            if winreg.QueryValueEx(key, "LongPathsEnabled")[0]:
                return False
    except OSError:
        pass
    return len(os.path.abspath(sysconfig.get_paths()["purelib"])) + LONGEST_PATH_IN_TORCH > 259


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"pip ended with code {error.returncode}"
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names)
