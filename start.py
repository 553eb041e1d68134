#!/usr/bin/env python3
"""Set OsteoScreen up in .venv and run it. Needs nothing but Python 3.11 or newer.

python3 start.py                         the main job on the simulated sample radiograph
python3 start.py analyse FILE --out DIR  any command of `osteoscreen`
python3 start.py test                    the linter, the type checker, the import contracts and the tests
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SAMPLE = HERE / "OsteoScreen" / "Resources" / "SampleData" / "simulated_chest_osteoporosis.dcm"
SETUP_FILES = ("pyproject.toml", "requirements.txt", "requirements-simulate.txt", "requirements-test.txt")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  an older python3 starts this very file
        return fail(f"OsteoScreen needs Python 3.11 or newer; this is {sys.version.split()[0]}. Start it with a newer python3.")
    testing = arguments[:1] == ["test"]
    try:
        set_up("test" if testing else "")
    except SetupError as error:
        return fail(str(error))
    environment = {**os.environ, "PYTHONUTF8": "1"}
    if testing:
        return run_tests(arguments[1:], {**environment, "HF_HUB_OFFLINE": "1"})
    command = arguments or ["analyse", str(SAMPLE), "--out", str(HERE / "osteoscreen-results")]
    return subprocess.call([str(PYTHON), "-m", "OsteoScreenLib.cli", *command], env=environment)


class SetupError(Exception):
    """One sentence on why the set-up stopped and what to do."""


def set_up(extra: str) -> None:
    """Make .venv hold the requirements. A stamp remembers what was installed, so a second start needs no network."""
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SETUP_FILES) + str(HERE).encode()).hexdigest()
    stamps = [VENV / "osteoscreen-test.stamp"] + ([] if extra else [VENV / "osteoscreen-run.stamp"])
    if PYTHON.exists() and any(stamp.is_file() and stamp.read_text() == wanted for stamp in stamps):
        return
    print(
        "Setting OsteoScreen up in .venv (downloads PyTorch, up to 3 GB and several minutes, once) …",
        file=sys.stderr,
        flush=True,
    )
    create_environment()
    target = f"{HERE}[{extra}]" if extra else str(HERE)
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", target]
    if subprocess.call(install) != 0:
        raise SetupError(
            "The requirements could not be installed (see the lines above); check the network and the free disk space "
            "(8 GB), then run the same command again."
        )
    (VENV / f"osteoscreen-{extra or 'run'}.stamp").write_text(wanted)


def create_environment() -> None:
    """A working .venv with pip: kept when it works, made anew when a set-up was cut short."""
    if PYTHON.exists() and quiet([str(PYTHON), "-m", "pip", "--version"]) == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if quiet([sys.executable, "-m", "venv", str(VENV)]) == 0:
        return
    # Debian's python3 comes without ensurepip until python3-venv is installed.
    if is_debian_root():
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
    quiet(["apt-get", "update"], environment)
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
