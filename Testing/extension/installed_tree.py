"""The extension as Slicer installs it: CMake run for real, with a small stand-in for Slicer's CMake package.

python Testing/extension/installed_tree.py FOLDER    install into FOLDER and print the module's folder in it
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SLICER_PACKAGE = Path(__file__).resolve().parent / "slicer_package"


@dataclass(frozen=True)
class InstalledTree:
    """module : the folder with OsteoScreen.py in it. description : what the package manager is told, key → value."""

    module: Path
    description: dict[str, str]


class CMakeFailed(Exception):
    """CMake's own words."""


def install(folder: Path, source: Path = REPOSITORY) -> InstalledTree:
    """Configure, build and install the extension below `folder`."""
    build, prefix = folder / "build", folder / "installed"
    _cmake(
        *("-S", str(source), "-B", str(build), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={_tool('ninja')}"),
        *(f"-DSlicer_DIR={SLICER_PACKAGE}", f"-DCMAKE_TOOLCHAIN_FILE={SLICER_PACKAGE / 'no_compilers.cmake'}"),
        *("-DBUILD_TESTING=ON", f"-DCMAKE_INSTALL_PREFIX={prefix}"),
    )
    _cmake("--build", str(build))
    _cmake("--install", str(build))
    lines = (build / "description.txt").read_text(encoding="utf-8").splitlines()
    description = dict(line.split(" ", 1) for line in lines)
    return InstalledTree(prefix / "lib" / "Slicer-5.12" / "qt-scripted-modules", description)


def _tool(name: str) -> str:
    """CMake and Ninja come as wheels with requirements-test.txt, beside this Python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise CMakeFailed(f"{name} is not installed; it comes with requirements-test.txt")
    return found


def _cmake(*arguments: str) -> None:
    done = subprocess.run([_tool("cmake"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CMakeFailed(f"cmake {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    print(install(Path(sys.argv[1]).resolve()).module)
