"""`start.py`: what it does without arguments, and that it agrees with the lists of requirements."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def start() -> ModuleType:
    """start.py as a module."""
    specification = importlib.util.spec_from_file_location("start", REPOSITORY / "start.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("system", "display", "command"),
    [
        ("linux", {"DISPLAY": ":0"}, "view"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, "view"),
        ("linux", {}, "analyse"),
        ("win32", {}, "view"),
        ("darwin", {}, "view"),
    ],
)
def test_without_arguments_the_viewer_opens_where_it_is_seen(start, monkeypatch, system, display, command) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in display.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(start, "desktop_wheels_exist", lambda: True)
    assert start.main_job()[:2] == [command, str(start.SAMPLE)]
    assert start.SAMPLE.is_file()
    monkeypatch.setattr(start, "desktop_wheels_exist", lambda: False)
    assert start.main_job()[0] == "analyse"


def test_a_reader_is_set_up_without_the_packages_of_the_models(start, monkeypatch, tmp_path) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(start, "VENV", tmp_path)
    monkeypatch.setattr(start, "create_environment", lambda: None)
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start.subprocess, "call", lambda command, **_: calls.append(command) or 0)
    assert start.main(["--without-torch", "review", "status", "STUDY"]) == 0
    first, second, last = calls
    packages = {Requirement(line).name for line in first[first.index("--disable-pip-version-check") + 1 :]}
    everything = {
        Requirement(line).name
        for name in ("requirements.txt", "requirements-desktop.txt")
        for line in (REPOSITORY / name).read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert everything - packages == set(start.MODEL_PACKAGES) and packages < everything
    assert second[-3:-1] == ["--no-deps", "--editable"] and last[-3:] == ["review", "status", "STUDY"]
    calls.clear()
    assert start.main(["--without-torch"]) == 0 and [call[-1] for call in calls] == ["view"]  # nothing is installed twice
    calls.clear()
    assert start.main(["models", "list"]) == 0 and calls[0][-1].endswith("[desktop]")  # PyTorch comes when it is asked for


@pytest.mark.parametrize("python", ["3.11", "3.13", "3.14"])
@pytest.mark.parametrize(
    ("system", "machine"),
    [("linux", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64"), ("darwin", "arm64"), ("darwin", "x86_64")],
)
def test_the_markers_say_what_start_says(start, monkeypatch, python, system, machine) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sys, "version_info", (*map(int, python.split(".")), 0, "final", 0))
    monkeypatch.setattr(platform, "machine", lambda: machine)
    lines = (REPOSITORY / "requirements-desktop.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert {requirement.name for requirement in wanted} == {"slicer-core", "PySide6-Essentials"}
    surroundings = {"python_version": python, "sys_platform": system, "platform_machine": machine}
    for requirement in wanted:
        assert requirement.marker is not None
        assert requirement.marker.evaluate(surroundings) == start.desktop_wheels_exist()


def test_missing_libraries_are_named_in_one_sentence_without_root(start, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(
        start, "SYSTEM_LIBRARIES", {"libno-such.so.7": ("libno-such7t64", "libno-such7"), "libc.so.6": ("libc6",)}
    )
    monkeypatch.setattr(start, "is_debian_root", lambda: False)
    monkeypatch.setattr(start, "existing_package", lambda names: names[-1])
    with pytest.raises(start.SetupError, match=r"sudo apt-get install libno-such7'\.$"):
        start.provide_system_libraries()


def test_root_on_debian_installs_what_is_missing_and_nothing_else(start, monkeypatch) -> None:
    installed: list[str] = []
    present = {"libc.so.6"}
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(start, "SYSTEM_LIBRARIES", {"libmissing.so": ("libmissing1",), "libc.so.6": ("libc6",)})
    monkeypatch.setattr(start, "loads", lambda library: library in present)
    monkeypatch.setattr(start, "has_fonts", lambda: True)
    monkeypatch.setattr(start, "is_debian_root", lambda: True)
    monkeypatch.setattr(start, "quiet", lambda *_: 0)

    def install(*packages: str) -> None:
        installed.extend(packages)
        present.add("libmissing.so")

    monkeypatch.setattr(start, "apt_install", install)
    start.provide_system_libraries()
    start.provide_system_libraries()
    assert installed == ["libmissing1"]


def test_a_pacs_and_validators_are_installed_by_root_and_named_otherwise(start, monkeypatch, tmp_path, capsys) -> None:
    there, calls = tmp_path / "there", []
    there.touch()
    programs = {
        "no-such-pacs": "orthanc",
        str(tmp_path / "plugin.so"): "orthanc-dicomweb",
        "python3": "python3",
        str(there): "here",
    }
    monkeypatch.setattr(start, "PACS_PROGRAMS", programs)
    monkeypatch.setattr(start, "quiet", lambda command, *_: calls.append(command) or 0)
    monkeypatch.setattr(start, "is_debian_root", lambda: False)
    start.provide_pacs_programs()
    said = capsys.readouterr().err
    assert "are skipped" in said and "sudo apt-get install orthanc orthanc-dicomweb'" in said and calls == []
    monkeypatch.setattr(start, "is_debian_root", lambda: True)
    monkeypatch.setattr(start.shutil, "which", lambda name: name if name in ("python3", "systemctl") else None)
    start.provide_pacs_programs()
    assert ["apt-get", "update"] in calls and any(command[-2:] == ["orthanc", "orthanc-dicomweb"] for command in calls)
    assert calls[-1] == ["systemctl", "disable", "--now", "orthanc"], "no server is left running on the machine"
    monkeypatch.setattr(start, "PACS_PROGRAMS", {"python3": "python3"})
    calls.clear()
    start.provide_pacs_programs()
    assert calls == []
