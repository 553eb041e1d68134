"""What programs of others say about a DICOM file: David Clunie's dciodvfy, and dcmtk's dsrdump and dcm2xml (Debian: dicom3tools, dcmtk)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

# UTF-8, and character sets with code extensions: about dcmtk, not about the file.
_UNABLE = ("The VR checker does not support this Specific Character Set", "Reading unknown/unsupported SpecificCharacterSet")

needs_checkers = pytest.mark.skipif(
    not all(map(shutil.which, ("dciodvfy", "dsrdump", "dcm2xml"))),
    reason="dciodvfy, dsrdump and dcm2xml are not installed (Debian: dicom3tools, dcmtk)",
)


def errors(path: Path) -> list[str]:
    """The errors that dciodvfy finds, each in its own words; warnings are left out."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, timeout=120)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert any(not line.startswith(("Warning", "Error")) for line in lines), "dciodvfy did not name what kind of object it is"
    return [" ".join(line.split()) for line in lines if "Error" in line]


def errors_beyond(made: Path, source: Path) -> list[str]:
    """The errors of an object that its source does not have in the same words."""
    known = set(errors(source))
    return [line for line in errors(made) if line not in known]


def report_text(path: Path) -> str:
    """A structured report as dsrdump prints it; fails when dsrdump complains."""
    done = subprocess.run(["dsrdump", "+Pc", str(path)], capture_output=True, timeout=120)
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if not any(words in line for words in _UNABLE)]
    assert done.returncode == 0 and not said, said
    return done.stdout.decode("utf-8", "replace")


def xml_of(path: Path) -> ElementTree.Element:
    """A data set as dcm2xml writes it; fails when dcm2xml complains or the XML cannot be parsed.

    It writes the escapes of character sets with code extensions (PS3.5 6.1.2.5) as references to characters that XML does not have.
    """
    done = subprocess.run(["dcm2xml", str(path)], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return ElementTree.fromstring(done.stdout.replace(b"&#27;", b""))
