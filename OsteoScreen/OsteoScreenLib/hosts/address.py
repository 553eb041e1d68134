"""Where OsteoScreen is published. Every address in the extension's metadata follows from this one.

`REPOSITORY` is a placeholder under example.org, a name that nobody can register, until the repository has its public address.
After changing it, `python Testing/extension/metadata.py --write` carries it into CMakeLists.txt and OsteoScreen.json, which the
extensions index reads as text and which therefore cannot refer to it.
"""

from __future__ import annotations

REPOSITORY = "https://example.org/osteoscreen/SlicerOsteoScreen"
BRANCH = "main"
STUDY = "https://doi.org/10.1007/s00198-025-07727-3"


def page(path: str, section: str = "") -> str:
    """Address of a file of the repository to read in a browser. section : a heading's anchor."""
    return f"{REPOSITORY}/blob/{BRANCH}/{path}" + (f"#{section}" if section else "")


def content(path: str) -> str:
    """Address of a file of the repository to load, for example a picture."""
    return f"{REPOSITORY}/raw/{BRANCH}/{path}"


def checkout() -> str:
    """Address that git clones."""
    return f"{REPOSITORY}.git"


def tutorial() -> str:
    """The tutorial in the README."""
    return page("README.md", "three-minutes-with-the-panel")
