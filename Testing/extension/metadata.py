"""The extension's addresses and its catalogue entry, from the one address in OsteoScreenLib/hosts/address.py.

python Testing/extension/metadata.py            say what differs; exit status 1 when something does
python Testing/extension/metadata.py --write    renew CMakeLists.txt and OsteoScreen.json
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY / "OsteoScreen") not in sys.path:
    sys.path.insert(0, str(REPOSITORY / "OsteoScreen"))

from OsteoScreenLib.hosts import address  # noqa: E402  this file is also run from the command line

CMAKE = REPOSITORY / "CMakeLists.txt"
ENTRY = REPOSITORY / "OsteoScreen.json"
ICON = "Resources/Icons/OsteoScreen.png"
SCHEMA = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"


def screenshots() -> list[str]:
    """The catalogue's pictures: those of the panel; before there are any, what there is."""
    folder = REPOSITORY / "Resources" / "Screenshots"
    found = sorted(folder.glob("panel-*.png")) or sorted(folder.glob("*.png"))
    return [path.relative_to(REPOSITORY).as_posix() for path in found]


def addresses() -> dict[str, str]:
    """CMake variable → value."""
    return {
        "EXTENSION_HOMEPAGE": address.REPOSITORY,
        "EXTENSION_ICONURL": address.content(ICON),
        "EXTENSION_SCREENSHOTURLS": " ".join(address.content(path) for path in screenshots()),
    }


def cmake_text() -> str:
    """The top-level CMakeLists.txt with these addresses."""
    text = CMAKE.read_text(encoding="utf-8")
    for name, value in addresses().items():
        text, count = re.subn(rf'^set\({name} "[^"\n]*"\)$', f'set({name} "{value}")', text, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f'CMakeLists.txt has {count} lines of the form set({name} "…")')
    return text


def entry() -> dict[str, Any]:
    """The catalogue entry."""
    return {
        "$schema": SCHEMA,
        "category": "Quantification",
        "scm_url": address.checkout(),
        "scm_revision": address.BRANCH,
        "build_dependencies": ["PyTorch"],
        "dicom_support_rule": "Modality == 'DX' or Modality == 'CR'",
        "tier": 1,
    }


def entry_text() -> str:
    """The catalogue entry as it stands in the file."""
    return json.dumps(entry(), indent=2) + "\n"


def main(arguments: list[str]) -> int:
    wanted = {CMAKE: cmake_text(), ENTRY: entry_text()}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--write" in arguments:
            path.write_text(wanted[path], encoding="utf-8", newline="\n")
        print(f"{path.name} {'was renewed' if '--write' in arguments else 'does not follow the address'}")
    return 0 if "--write" in arguments or not stale else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
