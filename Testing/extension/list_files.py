"""The packaged files, as git knows them and as OsteoScreen/CMakeLists.txt names them.

python Testing/extension/list_files.py            say what differs; exit status 1 when something does
python Testing/extension/list_files.py --write    renew the lists in OsteoScreen/CMakeLists.txt
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "OsteoScreen"
LISTS = MODULE / "CMakeLists.txt"
KINDS = ("scripts", "resources")
NOT_PACKAGED = {"CMakeLists.txt", "OsteoScreen.py"}  # OsteoScreen.py has its own line in the list


def there() -> dict[str, list[str]]:
    """The module's files by kind, relative to its folder: in git, or new and not ignored. Sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "."]
    listed = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=True).stdout
    names = {name for name in listed.split("\0") if name and name not in NOT_PACKAGED and (MODULE / name).is_file()}
    scripts = sorted(name for name in names if name.endswith(".py"))
    return {"scripts": scripts, "resources": sorted(names.difference(scripts))}


def named(text: str | None = None) -> dict[str, list[str]]:
    """The files that the lists name, by kind, in their order."""
    text = LISTS.read_text(encoding="utf-8") if text is None else text
    return {kind: _between(text, kind).split() for kind in KINDS}


def renewed(text: str, files: dict[str, list[str]]) -> str:
    """The text of CMakeLists.txt with these files between its marks."""
    for kind in KINDS:
        block = "".join(f"  {name}\n" for name in files[kind])
        before, after = f"  # {kind}: begin\n", f"  # {kind}: end\n"
        text = text.replace(before + _between(text, kind) + after, before + block + after)
    return text


def _between(text: str, kind: str) -> str:
    found = re.search(rf"  # {kind}: begin\n(.*?)  # {kind}: end\n", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{LISTS.name} has no marks '# {kind}: begin' and '# {kind}: end'")
    return found[1]


def main(arguments: list[str]) -> int:
    files = there()
    if "--write" in arguments:
        LISTS.write_text(renewed(LISTS.read_text(encoding="utf-8"), files), encoding="utf-8", newline="\n")
        print(f"{LISTS.name} names {len(files['scripts'])} scripts and {len(files['resources'])} resources.")
        return 0
    before = named()
    lines = [f"not listed: {name}" for kind in KINDS for name in files[kind] if name not in before[kind]]
    lines += [f"listed, but not there: {name}" for kind in KINDS for name in before[kind] if name not in files[kind]]
    print("\n".join(lines) or "The lists name every packaged file.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
