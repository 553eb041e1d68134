"""OsteoScreen/CMakeLists.txt names every packaged file and no other, and the command that renews it does what it says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from extension import list_files
from extension.installed_tree import CMakeFailed, InstalledTree, install


def test_the_lists_name_every_packaged_file() -> None:
    there, named = list_files.there(), list_files.named()
    for kind in list_files.KINDS:
        assert named[kind] == there[kind], f"run: python Testing/extension/list_files.py --write ({kind})"


def test_models_samples_icons_schemas_and_templates_are_among_them() -> None:
    resources = set(list_files.there()["resources"])
    assert {
        "Resources/Icons/OsteoScreen.png",
        "Resources/requirements.txt",
        "Resources/Schemas/analysis.schema.json",
    } <= resources
    assert "OsteoScreenLib/exchange/report.html.j2" in resources
    bundles = ("chest-gate", "chest-segmenter", "chest-sim-classifier", "knee-gate", "knee-segmenter")
    assert {f"Resources/Models/{name}/weights.safetensors" for name in bundles} <= resources
    assert sum(name.endswith(".dcm") for name in resources) == 2
    assert not [name for name in resources if name.endswith(".pyc") or "egg-info" in name]


def test_a_new_file_is_noticed_and_written_into_the_list() -> None:
    text = list_files.LISTS.read_text(encoding="utf-8")
    files = list_files.there()
    files["scripts"] = sorted([*files["scripts"], "OsteoScreenLib/new_room/new.py"])
    files["resources"] = files["resources"][1:]
    renewed = list_files.renewed(text, files)
    assert list_files.named(renewed) == files
    assert list_files.renewed(renewed, list_files.there()) == list_files.renewed(text, list_files.there())
    emptied = list_files.renewed(text, {"scripts": [], "resources": []})
    assert list_files.named(emptied) == {"scripts": [], "resources": []}
    assert list_files.renewed(emptied, files) == renewed


def test_installed_files_are_the_listed_ones_byte_for_byte(installed_tree: InstalledTree) -> None:
    listed = list_files.named()
    expected = {*listed["scripts"], *listed["resources"], "OsteoScreen.py"}
    tree = installed_tree.module
    installed = {
        path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert installed == expected
    for name in expected:
        digests = {hashlib.sha256((folder / name).read_bytes()).digest() for folder in (tree, list_files.MODULE)}
        assert len(digests) == 1, name
    assert not list(tree.parents[2].rglob("Testing"))


def test_a_list_that_names_an_absent_file_stops_cmake(tmp_path: Path) -> None:
    """The stand-in for Slicer's macro refuses it as Slicer's own does."""
    source = tmp_path / "source"
    (source / "OsteoScreen").mkdir(parents=True)
    (source / "CMakeLists.txt").write_bytes((list_files.REPOSITORY / "CMakeLists.txt").read_bytes())
    (source / "OsteoScreen" / "CMakeLists.txt").write_text(
        "slicerMacroBuildScriptedModule(NAME OsteoScreen SCRIPTS OsteoScreen.py RESOURCES Resources/absent.png)\n"
    )
    (source / "OsteoScreen" / "OsteoScreen.py").write_text("")
    with pytest.raises(CMakeFailed, match=r"not there: Resources/absent\.png"):
        install(tmp_path / "build", source)
