"""The box behind Help › About: what this is, what it must not be used for, and which versions run."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from OsteoScreenLib import __version__

PACKAGES = {"slicer-core": "Slicer scene (slicer-core)", "vtk": "VTK", "PySide6_Essentials": "Qt (PySide6)", "torch": "PyTorch"}


def about_text() -> str:
    """Rich text for a message box."""
    rows = [("OsteoScreen", __version__), ("Python", python_version())]
    rows += [(title, _version(package)) for package, title in PACKAGES.items()]
    table = "".join(f"<tr><td>{title}&nbsp;&nbsp;</td><td>{number}</td></tr>" for title, number in rows)
    return (
        "<h3>OsteoScreen</h3>"
        "<p>Opportunistic osteoporosis screening on radiographs, with named bones and explanations that can be tested.</p>"
        "<p><b>Research use only.</b> Not a medical device; not for diagnosis or treatment.</p>"
        f"<table>{table}</table>"
        "<p>Apache License 2.0. Built on 3D Slicer, VTK, Qt and PyTorch, each under its own licence.</p>"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
