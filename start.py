#!/usr/bin/env python3
"""Set OsteoScreen up in .venv and run it. Needs nothing but Python 3.11 or newer.

python3 start.py                         the viewer on the simulated sample radiograph; without a display its analysis
python3 start.py analyse FILE --out DIR  any command of `osteoscreen`
python3 start.py --without-torch …       the same without PyTorch: enough to read a study whose results are stored in its folder
python3 start.py test                    the linter, the type checker, the import contracts and the tests
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SAMPLE = HERE / "OsteoScreen" / "Resources" / "SampleData" / "simulated_chest_osteoporosis.dcm"
SETUP_FILES = (
    "pyproject.toml",
    "requirements.txt",
    "requirements-desktop.txt",
    "requirements-simulate.txt",
    "requirements-study.txt",
    "requirements-gateway.txt",
    "requirements-test.txt",
)

# What the models are computed with; reading images and stored results needs none of it.
MODEL_PACKAGES = ("torch", "torchvision", "timm", "peft", "grad-cam")

# What Qt and VTK load from a Linux system without a display, and the Debian packages that bring it (Debian 13 renamed one).
SYSTEM_LIBRARIES = {
    "libgthread-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libGL.so.1": ("libgl1",),
    "libEGL.so.1": ("libegl1",),
    "libX11.so.6": ("libx11-6",),
    "libxkbcommon.so.0": ("libxkbcommon0",),
    "libfontconfig.so.1": ("libfontconfig1",),
    "libfreetype.so.6": ("libfreetype6",),
    "libdbus-1.so.3": ("libdbus-1-3",),
    "libzstd.so.1": ("libzstd1",),
}
FONTS = ("fonts-dejavu-core",)

# Programs that the tests of DICOM objects and of the PACS work against, and the Debian packages that bring them.
PACS_PROGRAMS = {
    "Orthanc": "orthanc",
    "/usr/share/orthanc/plugins/libOrthancDicomWeb.so": "orthanc-dicomweb",
    "dciodvfy": "dicom3tools",
    "dsrdump": "dcmtk",
}


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  an older python3 starts this very file
        return fail(f"OsteoScreen needs Python 3.11 or newer; this is {sys.version.split()[0]}. Start it with a newer python3.")
    testing, reading = arguments[:1] == ["test"], arguments[:1] == ["--without-torch"]
    try:
        set_up("test" if testing else "reader" if reading else "desktop")
        if testing and desktop_wheels_exist():
            provide_system_libraries()
        if testing:
            provide_pacs_programs()
    except SetupError as error:
        return fail(str(error))
    environment = {**os.environ, "PYTHONUTF8": "1"}
    if testing:
        return run_tests(arguments[1:], {**environment, "HF_HUB_OFFLINE": "1"})
    command = (arguments[1:] or ["view"]) if reading else arguments or main_job()
    return subprocess.call([str(PYTHON), "-m", "OsteoScreenLib.cli", *command], env=environment)


def main_job() -> list[str]:
    """The viewer on the sample radiograph, or its analysis where no window can be seen."""
    if has_display() and desktop_wheels_exist():
        return ["view", str(SAMPLE)]
    return ["analyse", str(SAMPLE), "--out", str(HERE / "osteoscreen-results")]


def has_display() -> bool:
    """Whether a window would be seen. Windows and macOS always have a screen."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def desktop_wheels_exist() -> bool:
    """Whether the viewer's packages exist for this Python and computer; the markers in requirements-desktop.txt say the same."""
    machines = {"linux": "x86_64", "win32": "AMD64", "darwin": "arm64"}
    return sys.version_info < (3, 14) and machines.get(sys.platform) == platform.machine()


class SetupError(Exception):
    """One sentence on why the set-up stopped and what to do."""


def set_up(extra: str) -> None:
    """Make .venv hold the requirements. A stamp remembers what was installed, so a second start needs no network.

    extra : "desktop" to run OsteoScreen, "test", which holds that and more, or "reader", which is "desktop" without the models' packages.
    """
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SETUP_FILES) + str(HERE).encode()).hexdigest()
    enough = {extra, "test", "desktop"} if extra == "reader" else {extra, "test"}
    stamps = [VENV / f"osteoscreen-{held}.stamp" for held in enough]
    if PYTHON.exists() and any(stamp.is_file() and stamp.read_text() == wanted for stamp in stamps):
        return
    size = "1 GB" if extra == "reader" else "PyTorch, up to 3 GB"
    print(f"Setting OsteoScreen up in .venv (downloads {size} and takes several minutes, once) …", file=sys.stderr, flush=True)
    if not desktop_wheels_exist():
        print(
            f"The desktop viewer is left out: its packages do not exist for Python {platform.python_version()} on "
            f"{platform.system()} {platform.machine()}; everything else works.",
            file=sys.stderr,
            flush=True,
        )
    create_environment()
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if any(subprocess.call([*install, *what]) != 0 for what in packages(extra)):
        raise SetupError(
            "The requirements could not be installed (see the lines above); check the network and the free disk space "
            "(8 GB), then run the same command again."
        )
    (VENV / f"osteoscreen-{extra}.stamp").write_text(wanted)


def packages(extra: str) -> list[list[str]]:
    """What pip is asked to install, call by call."""
    if extra != "reader":
        return [["--editable", f"{HERE}[{extra}]"]]
    lines = [
        line for name in ("requirements.txt", "requirements-desktop.txt") for line in (HERE / name).read_text().splitlines()
    ]
    wanted = [line for line in lines if line and not line.startswith(("#", *(f"{name}>" for name in MODEL_PACKAGES)))]
    return [wanted, ["--no-deps", "--editable", str(HERE)]]


def provide_system_libraries() -> None:
    """Have the libraries that Qt and VTK load, and a font for pictures: installed by apt as root, else named."""
    if not sys.platform.startswith("linux"):
        return
    wanted = missing_libraries()
    if not has_fonts():
        wanted = [*wanted, FONTS]
    if wanted and is_debian_root():
        quiet(["apt-get", "update"])
        apt_install(*(existing_package(names) for names in wanted))
    missing = missing_libraries()
    if missing:
        packages = " ".join(existing_package(names) for names in missing)
        raise SetupError(
            "Qt and VTK, which the tests draw with, need more of the system; "
            f"on Debian or Ubuntu run 'sudo apt-get install {packages}'."
        )


def provide_pacs_programs() -> None:
    """Have a PACS and the validators: installed by apt as root, else named; without them their tests are skipped."""
    wanted = missing_programs()
    if wanted and is_debian_root():
        quiet(["apt-get", "update"])
        apt_install(*wanted)
        if "orthanc" in wanted and shutil.which("systemctl"):
            quiet(["systemctl", "disable", "--now", "orthanc"])  # Debian starts it at once, on all of the machine's addresses
    missing = missing_programs()
    if missing:
        print(
            "The tests against a real PACS and with DICOM validators are skipped; on Debian or Ubuntu "
            f"'sudo apt-get install {' '.join(missing)}' brings what they need.",
            file=sys.stderr,
            flush=True,
        )


def missing_programs() -> list[str]:
    """The packages of those programs and plugins that are not there."""
    return [package for name, package in PACS_PROGRAMS.items() if not (shutil.which(name) or Path(name).is_file())]


def missing_libraries() -> list[tuple[str, ...]]:
    """The packages (by their possible names) of those libraries that cannot be loaded."""
    return [names for library, names in SYSTEM_LIBRARIES.items() if not loads(library)]


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_fonts() -> bool:
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
    return any(folder.is_dir() and any(folder.rglob("*.[to]tf")) for folder in folders)


def existing_package(names: tuple[str, ...]) -> str:
    """Which of a package's names this release of Debian knows; the last one where that cannot be told."""
    for name in names[:-1]:
        if shutil.which("apt-cache") and quiet(["apt-cache", "show", name]) == 0:
            return name
    return names[-1]


def create_environment() -> None:
    """A working .venv with pip: kept when it works, made anew when a set-up was cut short."""
    if PYTHON.exists() and quiet([str(PYTHON), "-m", "pip", "--version"]) == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if quiet([sys.executable, "-m", "venv", str(VENV)]) == 0:
        return
    # Debian's python3 comes without ensurepip until python3-venv is installed.
    if is_debian_root():
        quiet(["apt-get", "update"])
        apt_install("python3-venv")
        shutil.rmtree(VENV, ignore_errors=True)
        if quiet([sys.executable, "-m", "venv", str(VENV)]) == 0:
            return
    raise SetupError(
        "This Python cannot make a virtual environment; on Debian or Ubuntu run 'sudo apt-get install python3-venv'."
    )


def is_debian_root() -> bool:
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def apt_install(*packages: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet(["apt-get", "install", "--yes", "--no-install-recommends", *packages], environment)


def quiet(command: list[str], environment: dict[str, str] | None = None) -> int:
    return subprocess.call(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_tests(arguments: list[str], environment: dict[str, str]) -> int:
    """Every check in turn; the first that fails ends the run with its exit status."""
    checks = [
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "mypy", "OsteoScreen/OsteoScreenLib", "start.py"],
        ["-c", "from importlinter.cli import lint_imports_command as check; check()"],
        ["-m", "pytest", *arguments],
    ]
    for check in checks:
        print("→", " ".join(check), flush=True)
        status = subprocess.call([str(PYTHON), *check], cwd=HERE, env=environment)
        if status:
            return status
    return 0


def fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
