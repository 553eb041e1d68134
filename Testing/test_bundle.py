"""Bundles: verified before anything is parsed, written whole or not at all, and every refusal is one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from OsteoScreenLib import bundle as bundle_module
from OsteoScreenLib.bundle import CARD, MANIFEST, WEIGHTS, as_float16, open_bundle, write_bundle
from OsteoScreenLib.errors import InputError, OsteoScreenError

KEYS: dict[str, Any] = {
    "id": "small",
    "kind": "gate",
    "title": "A small bundle",
    "site": "chest-frontal",
    "licence": "Apache-2.0",
    "intended_use": "Tests.",
    "architecture": {},
    "preprocessing": {},
    "training": {"seed": 1},
}


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"weight": torch.randn(4, 3, generator=generator), "bias": torch.zeros(4), "steps": torch.arange(3)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "small", KEYS, tensors(), "# Card\n").folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def replace_weights(folder: Path, data: bytes) -> None:
    """Swap the weights and let the manifest agree, as somebody who means harm would."""
    (folder / WEIGHTS).write_bytes(data)
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    rewrite(folder, lambda manifest: manifest["files"].update({WEIGHTS: entry}))


def refused(folder: Path, code: str, kind: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_bundle(folder, kind).tensors()
    message = str(caught.value)
    assert caught.value.code == code, message
    assert "\n" not in message and message.endswith(".") and message.count(". ") == 0, message
    return message


class Harm:
    """What a pickle could do: leave a trace where it was loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_what_is_written_is_read_back(folder: Path) -> None:
    bundle = open_bundle(folder, "gate")
    assert (bundle.id, bundle.kind, bundle.card) == ("small", "gate", "# Card\n")
    for name, tensor in tensors().items():
        torch.testing.assert_close(bundle.tensors()[name], tensor)
    assert bundle.sha256 == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert bundle.weights_sha256 == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    assert sorted(p.name for p in folder.parent.iterdir()) == ["small"], "nothing temporary is left"


def test_half_precision_is_stored_and_comes_back_as_float32(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "half", KEYS, as_float16(tensors()), "")
    assert bundle.tensors()["weight"].dtype == torch.float32
    assert bundle.tensors()["steps"].dtype == torch.int64
    assert bundle.tensors(as_stored=True)["weight"].dtype == torch.float16
    torch.testing.assert_close(bundle.tensors()["weight"], tensors()["weight"].half().float(), atol=0, rtol=0)
    with pytest.raises(OsteoScreenError, match="half precision cannot store"):
        as_float16({"large": torch.tensor([1e6])})


def test_the_same_tensors_give_the_same_bytes(tmp_path: Path) -> None:
    one = write_bundle(tmp_path / "a" / "small", KEYS, tensors(), "card")
    other = write_bundle(tmp_path / "b" / "small", dict(reversed(KEYS.items())), dict(reversed(tensors().items())), "card")
    assert one.sha256 == other.sha256
    assert write_bundle(tmp_path / "c", KEYS, {**tensors(), "bias": torch.ones(4)}, "card").sha256 != one.sha256


def test_tied_weights_can_be_written(tmp_path: Path) -> None:
    shared = torch.randn(3, 3)
    bundle = write_bundle(tmp_path / "tied", KEYS, {"a": shared, "b": shared, "part": shared[:, 1]}, "")
    torch.testing.assert_close(bundle.tensors()["part"], shared[:, 1])


def test_an_older_bundle_is_replaced_and_a_foreign_folder_is_not(folder: Path) -> None:
    newer = write_bundle(folder, {**KEYS, "title": "Newer"}, tensors(), "card")
    assert newer.manifest["title"] == "Newer"
    foreign = folder.parent / "photographs"
    foreign.mkdir()
    (foreign / "dog.txt").write_text("a dog")
    with pytest.raises(InputError, match="no model bundle, so it is not overwritten"):
        write_bundle(foreign, KEYS, tensors(), "card")
    assert (foreign / "dog.txt").read_text() == "a dog"


def test_a_full_disk_leaves_the_older_bundle_or_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> Path:
        if path.name == MANIFEST:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)
        return path

    before = open_bundle(folder).sha256
    monkeypatch.setattr(bundle_module, "write_bytes", full)
    for place in (folder, folder.parent / "other"):
        with pytest.raises(OsteoScreenError, match="No space left on device"):
            write_bundle(place, {**KEYS, "title": "Newer"}, tensors(), "card")
    assert open_bundle(folder).sha256 == before
    assert [p.name for p in folder.parent.iterdir()] == ["small"]


def test_missing_things_are_named(tmp_path: Path, folder: Path) -> None:
    assert "no model bundle at" in refused(tmp_path / "nowhere", "bundle-missing")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"has no {MANIFEST}" in refused(empty, "bundle-manifest")
    assert "a model bundle is a folder" in refused(folder / CARD, "bundle-format")
    (folder / CARD).unlink()
    assert "lacks its file card.md" in refused(folder, "bundle-file-missing")


@pytest.mark.parametrize(
    "text", [b"{", b"", b"\xff\xfe", b"[1]", b'"x"', b'{"format": NaN}', b"[" * 100000, b'{"format": "other"}']
)
def test_a_manifest_that_is_none_is_refused(folder: Path, text: bytes) -> None:
    (folder / MANIFEST).write_bytes(text)
    refused(folder, "bundle-manifest")


def test_newer_format_and_unknown_or_other_kind(folder: Path) -> None:
    assert "is a gate, but a classifier is needed" in refused(folder, "bundle-kind", "classifier")
    rewrite(folder, lambda manifest: manifest.update(kind="oracle"))
    assert 'unknown kind "oracle"' in refused(folder, "bundle-kind")
    rewrite(folder, lambda manifest: manifest.update(kind="gate", format_version=2))
    assert "newer OsteoScreen" in refused(folder, "bundle-newer")


@pytest.mark.parametrize("key", ["id", "kind", "title", "site", "licence", "intended_use", "architecture", "training", "files"])
def test_every_required_key_is_named_when_it_is_absent(folder: Path, key: str) -> None:
    rewrite(folder, lambda manifest: manifest.pop(key))
    assert f'"{key}"' in refused(folder, "bundle-manifest")


def test_truncated_and_altered_weights(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-5])
    assert "is cut short" in refused(folder, "bundle-truncated")
    (folder / WEIGHTS).write_bytes(b"")
    assert "is cut short (0 of" in refused(folder, "bundle-truncated")
    (folder / WEIGHTS).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "was altered" in refused(folder, "bundle-altered")
    (folder / WEIGHTS).write_bytes(data + b"x")
    assert "was altered" in refused(folder, "bundle-altered")
    (folder / WEIGHTS).write_bytes(data)
    (folder / CARD).write_text("# Bard\n")
    assert "card.md of the bundle small was altered" in refused(folder, "bundle-altered")


def test_a_file_swapped_after_opening_is_caught(folder: Path) -> None:
    bundle = open_bundle(folder)
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match="was altered"):
        bundle.tensors()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_the_right_name_and_hash_is_refused_and_never_loaded(
    folder: Path, tmp_path: Path, protocol: int
) -> None:
    trace = tmp_path / "trace"
    replace_weights(folder, pickle.dumps({"weight": Harm(trace)}, protocol=protocol))
    refused(folder, "bundle-pickle" if protocol >= 2 else "bundle-format")
    assert not trace.exists()


def test_a_torch_checkpoint_renamed_is_refused(folder: Path, tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "model.pt")
    replace_weights(folder, (tmp_path / "model.pt").read_bytes())
    message = refused(folder, "bundle-pickle")
    assert "can run code when loaded" in message
    torch.save(tensors(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    replace_weights(folder, (tmp_path / "old.pt").read_bytes())
    refused(folder, "bundle-pickle")
    refused(tmp_path / "model.pt", "bundle-pickle")
    bare = tmp_path / "bare"
    bare.mkdir()
    (tmp_path / "model.pt").rename(bare / "pytorch_model.bin")
    refused(bare, "bundle-pickle")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 16,
        b"\x02" + b"\x00" * 7 + b"[]",
        b"\x05" + b"\x00" * 7 + b"{bad}",
        b"\x40" + b"\x00" * 7 + b"{}",
    ],
)
def test_rubbish_with_the_right_hash_is_no_safetensors(folder: Path, data: bytes) -> None:
    replace_weights(folder, data)
    refused(folder, "bundle-format")


def test_a_header_that_lies_about_its_tensors_is_refused(folder: Path) -> None:
    header = b'{"weight":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
    replace_weights(folder, len(header).to_bytes(8, "little") + header + b"1234")
    refused(folder, "bundle-format")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "/etc/hosts",
        "a/b.safetensors",
        "..",
        "C:weights.safetensors",
        "a\\b.txt",
        ".hidden.txt",
        "",
        MANIFEST,
    ],
)
def test_file_names_that_lead_out_of_the_folder(folder: Path, name: str) -> None:
    rewrite(folder, lambda manifest: manifest["files"].update({name: {"sha256": "0" * 64, "bytes": 0}}))
    refused(folder, "bundle-path")


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "head.pkl", "HEAD.PTH"])
def test_a_listed_pickle_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    rewrite(folder, lambda m: m["files"].update({name: {"sha256": hashlib.sha256(b"").hexdigest(), "bytes": 0}}))
    refused(folder, "bundle-pickle")


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    outside = folder.parent / "outside.md"
    (folder / CARD).rename(outside)
    (folder / CARD).symlink_to(outside)
    refused(folder, "bundle-path")


def test_code_in_a_bundle_is_refused(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest["files"].update({"model.py": {"sha256": "0" * 64, "bytes": 0}}))
    assert "does not belong in a bundle" in refused(folder, "bundle-path")


@pytest.mark.parametrize(
    "entry", [{}, None, {"sha256": "xyz", "bytes": 1}, {"sha256": "0" * 64, "bytes": -1}, {"sha256": "0" * 64}]
)
def test_an_entry_without_hash_and_size_is_refused(folder: Path, entry: Any) -> None:
    rewrite(folder, lambda manifest: manifest["files"].update({CARD: entry}))
    assert "SHA-256 and the size" in refused(folder, "bundle-manifest")


def test_a_file_that_cannot_be_read_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(bundle_module, "sha256_of_file", denied)
    assert "cannot be read: Permission denied" in refused(folder, "bundle-unreadable")
