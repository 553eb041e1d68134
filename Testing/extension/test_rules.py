"""The rules of the extensions index, each held by a test on the files that the index reads."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from extension import metadata
from extension.installed_tree import InstalledTree
from packaging.requirements import Requirement
from PIL import Image

from OsteoScreenLib.hosts import address
from OsteoScreenLib.worker import library_check

REPOSITORY = Path(__file__).resolve().parents[2]
CMAKE = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
MODULE = REPOSITORY / "OsteoScreen" / "OsteoScreen.py"

# The properties of the index's schema 1.0.2 for a catalogue entry.
SCHEMA = {
    "type": "object",
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
    "properties": {
        **{name: {"type": "string"} for name in ("$schema", "category", "scm_url", "scm_revision", "dicom_support_rule")},
        "scm_type": {"enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": {"type": "string"}},
        "build_subdirectory": {"type": "string"},
        "enabled": {"type": "boolean"},
        "tier": {"type": "integer", "minimum": 1, "maximum": 5},
    },
}


def tracked() -> list[Path]:
    """Every file that git knows or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [REPOSITORY / name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


def test_project_catalogue_entry_and_module_have_one_name(installed_tree: InstalledTree) -> None:
    project = re.findall(r"project\s*\(\s*([^\s)]+)", CMAKE)
    assert project == ["OsteoScreen"] and not project[0].lower().startswith("slicer")
    assert metadata.ENTRY.name == f"{project[0]}.json" and metadata.ENTRY.is_file()
    assert installed_tree.description["name"] == project[0]
    assert re.findall(r"^class (\w+)\(ScriptedLoadableModule\):", MODULE.read_text(), re.MULTILINE) == project
    assert MODULE.stem == project[0]


def test_the_licence_lies_in_the_root() -> None:
    assert "Apache License" in (REPOSITORY / "LICENSE.txt").read_text(encoding="utf-8")[:200]


def test_lines_end_with_lf_and_the_repository_is_small() -> None:
    files = tracked()
    texts = {".py", ".md", ".txt", ".json", ".cmake", ".cff", ".toml", ".j2", ""}
    assert [path for path in files if path.suffix in texts and b"\r" in path.read_bytes()] == []
    assert sum(path.stat().st_size for path in files) < 100_000_000


def test_cmake_is_new_enough_and_metadata_stand_on_single_lines() -> None:
    version = re.search(r"cmake_minimum_required\(VERSION (\d+)\.(\d+)\)", CMAKE)
    assert version is not None and (int(version[1]), int(version[2])) >= (3, 28)
    for name in ("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert len(re.findall(rf'^set\(EXTENSION_{name} "[^"\n$]+"\)$', CMAKE, re.MULTILINE)) == 1, name


def test_addresses_follow_from_the_one_of_the_repository(installed_tree: InstalledTree) -> None:
    assert metadata.cmake_text() == CMAKE, "run: python Testing/extension/metadata.py --write"
    assert metadata.ENTRY.read_text(encoding="utf-8") == metadata.entry_text(), (
        "run: python Testing/extension/metadata.py --write"
    )
    described = installed_tree.description
    pictures = described["screenshoturls"].split()
    assert pictures and described["homepage"] == address.REPOSITORY and described["depends"] == "PyTorch"
    for url in (described["iconurl"], *pictures):
        assert url.startswith(f"{address.REPOSITORY}/raw/{address.BRANCH}/")
        assert (REPOSITORY / url.removeprefix(f"{address.REPOSITORY}/raw/{address.BRANCH}/")).is_file(), url
        with Image.open(REPOSITORY / url.removeprefix(f"{address.REPOSITORY}/raw/{address.BRANCH}/")) as picture:
            assert picture.format == "PNG"
    assert described["contributors"] == "OsteoScreen contributors" and "research" in described["description"]


def test_no_other_file_spells_the_address_out() -> None:
    owner = address.REPOSITORY.removeprefix("https://")
    spelled = {path.relative_to(REPOSITORY).as_posix() for path in tracked() if owner.encode() in path.read_bytes()}
    assert spelled <= {"CMakeLists.txt", "OsteoScreen.json", "OsteoScreen/OsteoScreenLib/hosts/address.py", "CITATION.cff"}


def test_the_catalogue_entry_fits_the_schema() -> None:
    entry = json.loads(metadata.ENTRY.read_text(encoding="utf-8"))
    jsonschema.validate(entry, SCHEMA)
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert entry["category"] == "Quantification" and entry["build_dependencies"] == ["PyTorch"]
    assert entry["scm_url"].startswith("https://") and "slicer" in entry["scm_url"].rsplit("/", 1)[1].lower()
    assert re.fullmatch(r"Modality == '\w+'( or Modality == '\w+')*", entry["dicom_support_rule"])


@pytest.mark.parametrize("name", ["Resources/Icons/OsteoScreen.png", "OsteoScreen/Resources/Icons/OsteoScreen.png"])
def test_icons_are_square_and_large_enough(name: str) -> None:
    with Image.open(REPOSITORY / name) as icon:
        assert icon.format == "PNG" and icon.size[0] == icon.size[1] >= 128
        assert icon.getchannel("A").getpixel((0, 0)) == 0, "corners are transparent"


def test_the_module_only_defines_and_imports_little_at_file_scope() -> None:
    tree = ast.parse(MODULE.read_text(encoding="utf-8"))
    allowed = {
        "__future__",
        "os",
        "time",
        "pathlib",
        "typing",
        "logging",
        "slicer",
        "qt",
        "ctk",
        "vtk",
        "numpy",
        "scipy",
        "SimpleITK",
    }
    for node in tree.body:
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in allowed
        elif isinstance(node, ast.Assign):
            ast.literal_eval(node.value)  # a constant, not something that is computed
        elif isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        else:
            assert isinstance(node, ast.ClassDef | ast.FunctionDef), ast.unparse(node)
            assert not node.decorator_list
    assert len(MODULE.read_text(encoding="utf-8").splitlines()) < 300


def test_nothing_installs_outside_the_one_place() -> None:
    """pip, the PyTorch extension and Slicer's installer are spoken to in hosts/slicer_install.py only."""
    for path in (REPOSITORY / "OsteoScreen").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "slicer_install.py":
            assert not re.search(r"pip_install\(|pip_ensure\(|installTorch\(|slicer\.packaging", text), path


def test_every_requirement_is_checked_before_the_first_analysis() -> None:
    lines = (REPOSITORY / "OsteoScreen" / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {Requirement(line).name for line in lines if line and not line.startswith("#")}
    assert required == set(library_check.MODULES) | set(library_check.NOT_IMPORTED)


def test_help_and_readme_say_what_it_is_for() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    module = MODULE.read_text(encoding="utf-8")
    assert "Research use only" in readme and "Research use only" in module
    doi = address.STUDY.removeprefix("https://doi.org/")
    assert doi in readme and doi in citation and doi in module
    title = (
        "Explainable opportunistic osteoporosis screening from chest X-rays: a retrospective comparison of foundation models"
    )
    assert title in citation and title in " ".join(module.replace('"\n    "', "").split())
    assert "Apache-2.0" in readme


def test_the_tutorial_that_help_leads_to_is_in_the_readme() -> None:
    path, section = address.tutorial().removeprefix(address.page("")).split("#")
    headings = re.findall(r"^#+ (.+)$", (REPOSITORY / path).read_text(encoding="utf-8"), re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]
    assert section in anchors, f"{path} has no heading '{section.capitalize()}'"
