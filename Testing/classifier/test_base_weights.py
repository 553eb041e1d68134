"""Where weights lie, how they come, and that they are what was recorded. The hub is a folder here: no test reaches the real one."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from classifier import homes
from safetensors.torch import load_file, save_file

from OsteoScreenLib.classifier import base_fetch, base_weights
from OsteoScreenLib.classifier.backbones import Backbone, backbone, build_backbone, preprocessing_for
from OsteoScreenLib.classifier.hub import HubListing, HuggingFaceHub
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file


class FolderHub:
    """A hub whose one repository is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.stated: dict[str, str] = {}

    def listing(self, repository: str) -> HubListing:
        self.asked.append(repository)
        hashes = {path.name: sha256_of_file(path) for path in self.folder.iterdir()}
        return HubListing("abc123", hashes | self.stated)

    def download(self, repository: str, name: str, revision: str, target: Path) -> None:
        assert revision == "abc123"
        self.asked.append(name)
        shutil.copyfile(self.folder / name, target)


@pytest.fixture
def published(tmp_path: Path) -> tuple[Backbone, FolderHub]:
    """A small SigLIP as a hub would publish it, and its backbone."""
    (tmp_path / "hub").mkdir()
    return homes.siglip(tmp_path / "hub", hidden_act="gelu").backbone, FolderHub(tmp_path / "hub")


def refusal(call: object, *arguments: object, code: str) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    message = str(caught.value)
    assert caught.value.code == code and "\n" not in message and message.endswith("."), (caught.value.code, message)
    return message


def test_fetched_once_with_its_config_recorded_and_found(tmp_path: Path, published: tuple[Backbone, FolderHub]) -> None:
    chosen, hub = published
    mine = tmp_path / "mine"
    assert base_weights.find(chosen, mine) is None
    path = base_fetch.fetch(chosen, mine, hub)
    assert (
        path == mine / chosen.id / "model.safetensors" == base_weights.find(chosen, mine) == base_weights.require(chosen, mine)
    )
    assert hub.asked == [chosen.hub_id, "model.safetensors", "config.json"]
    record = json.loads((path.parent / "record.json").read_text())
    assert record["files"]["model.safetensors"] == sha256_of_file(path) == base_weights.verified_sha256(path)
    assert set(record["files"]) == {"model.safetensors", "config.json"}
    assert (record["revision"], record["hub_id"], record["key_format"]) == ("abc123", chosen.hub_id, "hf-siglip")
    assert sorted(entry.name for entry in mine.iterdir()) == [chosen.id], "nothing is left behind"
    network: Any = build_backbone(chosen, weights=path)
    assert type(network.blocks[0].mlp.act).__name__ == "GELU", (
        "the activation that config.json names, not the registry's GELUTanh"
    )
    hub.asked.clear()
    assert base_fetch.fetch(chosen, mine, hub) == path and not hub.asked, "what is here is not downloaded again"
    base_weights.forget(chosen, mine)
    assert not any(mine.iterdir()) and base_weights.held(chosen, mine) == ()


def test_altered_weights_and_an_altered_config_are_refused_on_every_use(
    tmp_path: Path, published: tuple[Backbone, FolderHub]
) -> None:
    chosen, hub = published
    path = base_fetch.fetch(chosen, tmp_path / "mine", hub)
    for name in ("model.safetensors", "config.json"):
        altered = path.parent / name
        data = bytearray(altered.read_bytes())
        altered.write_bytes(data[:-3] + (b"7" if data[-3:-2] != b"7" else b"8") + data[-2:])
        for call in (lambda: build_backbone(chosen, weights=path), lambda: base_fetch.fetch(chosen, tmp_path / "mine", hub)):
            message = refusal(call, code="base-altered")
            assert re.search(rf"{name} was altered since it was fetched .* 'osteoscreen models forget {chosen.id}'", message), (
                message
            )
        altered.write_bytes(bytes(data))
    assert build_backbone(chosen, weights=path) is not None


def test_a_download_that_is_not_the_hubs_file_leaves_nothing(tmp_path: Path, published: tuple[Backbone, FolderHub]) -> None:
    chosen, hub = published
    hub.stated = {"model.safetensors": "0" * 64}
    assert "did not arrive whole" in refusal(base_fetch.fetch, chosen, tmp_path / "mine", hub, code="base-altered")
    assert list((tmp_path / "mine").iterdir()) == []


def test_what_else_a_hub_may_hold(tmp_path: Path, published: tuple[Backbone, FolderHub]) -> None:
    chosen, hub = published
    weights = hub.folder / "model.safetensors"
    weights.rename(hub.folder / "open_clip_model.safetensors")
    assert base_fetch.fetch(chosen, tmp_path / "a", hub).name == "open_clip_model.safetensors"
    (hub.folder / "open_clip_model.safetensors").unlink()
    assert "no longer holds model.safetensors" in refusal(base_fetch.fetch, chosen, tmp_path / "b", hub, code="hub-unknown")
    weights.write_bytes(b"not safetensors at all")
    assert "no valid safetensors" in refusal(base_fetch.fetch, chosen, tmp_path / "b", hub, code="base-format")
    torch.save({"weight": torch.ones(2)}, weights)
    assert "is a pickle" in refusal(base_fetch.fetch, chosen, tmp_path / "b", hub, code="base-pickle")
    save_file({"fc.weight": torch.ones(2)}, weights)
    assert "no vision transformer" in refusal(base_fetch.fetch, chosen, tmp_path / "b", hub, code="base-format")
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.parametrize("backbone_id", ["biomedclip", "eva-x-small"])
def test_what_is_published_as_a_pickle_is_never_downloaded(tmp_path: Path, backbone_id: str) -> None:
    hub = FolderHub(tmp_path)
    message = refusal(base_fetch.fetch, backbone(backbone_id), tmp_path, hub, code="base-pickle")
    assert "convert it to safetensors" in message and "Resources/Docs/backbones.md" in message
    assert not hub.asked


def test_weights_put_there_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = homes.dinov2(tmp_path / "given")
    chosen = home.backbone
    monkeypatch.setenv("OSTEOSCREEN_BACKBONES", str(tmp_path / "hospital"))
    message = refusal(base_weights.require, chosen, code="base-missing")
    assert str(tmp_path / "hospital") in message and f"osteoscreen models fetch {chosen.id}" in message
    (tmp_path / "hospital").mkdir()
    shutil.copyfile(home.file, tmp_path / "hospital" / f"{chosen.id}.safetensors")
    assert base_weights.require(chosen) == tmp_path / "hospital" / f"{chosen.id}.safetensors"
    base_weights.forget(chosen)
    own = tmp_path / "hospital" / chosen.id
    own.mkdir()
    (own / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    assert "pytorch_model.bin is a pickle" in refusal(base_weights.find, chosen, code="base-pickle")
    shutil.copyfile(home.file, own / "theirs.safetensors")
    assert base_weights.find(chosen) == own / "theirs.safetensors", "a safetensors file beside it is what counts"
    shutil.copyfile(home.file, own / "others.safetensors")
    assert "several weights files" in refusal(base_weights.find, chosen, code="base-several")


def test_adopting_a_file_copies_its_config_and_records_it(tmp_path: Path) -> None:
    home = homes.siglip(tmp_path / "given", hidden_act="gelu")
    path = base_fetch.adopt(home.backbone, home.file, tmp_path / "mine")
    assert load_file(path).keys() == load_file(home.file).keys()
    assert (path.parent / "config.json").is_file()
    assert "already" in refusal(base_fetch.adopt, home.backbone, home.file, tmp_path / "mine", code="base-exists")
    assert "no weights file" in refusal(base_fetch.adopt, home.backbone, tmp_path / "gone.safetensors", code="base-missing")


def test_pickles_under_any_name_are_refused_and_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    for name in ("model.bin", "model.pth", "model.safetensors"):
        torch.save({"weight": Bomb()}, tmp_path / name)
        message = refusal(
            lambda at: build_backbone(backbone("dinov2-small"), weights=at, image_size=14), tmp_path / name, code="base-pickle"
        )
        assert message.startswith(f"{name} is a pickle")
    assert not (tmp_path / "exploded").exists()
    (tmp_path / "cut.safetensors").write_bytes(homes.dinov2(tmp_path / "given").file.read_bytes()[:-100])
    assert "no valid safetensors" in refusal(base_weights.read, tmp_path / "cut.safetensors", code="base-format")


def test_a_full_disk_is_one_sentence(tmp_path: Path, published: tuple[Backbone, FolderHub]) -> None:
    chosen, hub = published

    def full(repository: str, name: str, revision: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    hub.download = full  # type: ignore[method-assign]
    with pytest.raises(OsteoScreenError, match=r"could not be stored in .*No space left.*OSTEOSCREEN_BACKBONES"):
        base_fetch.fetch(chosen, tmp_path / "mine", hub)
    assert list((tmp_path / "mine").iterdir()) == []


def test_offline_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub as hub

    def raises(error: Exception) -> object:
        def call(*_: object, **__: object) -> None:
            raise error

        return call

    unreachable = [
        hub.errors.OfflineModeIsEnabled("offline"),
        ConnectionError("no route"),
        hub.errors.LocalEntryNotFoundError("no"),
    ]
    for error in unreachable:
        monkeypatch.setattr(hub, "HfApi", type("Api", (), {"model_info": raises(error)}))
        message = refusal(HuggingFaceHub().listing, "someone/model", code="hub-offline")
        assert "cannot be reached for someone/model" in message and "--from FILE" in message
    monkeypatch.setattr(hub, "hf_hub_download", raises(hub.errors.LocalEntryNotFoundError("no")))
    refusal(
        HuggingFaceHub().download,
        "someone/model",
        "model.safetensors",
        "abc",
        tmp_path / "model.safetensors",
        code="hub-offline",
    )
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(hub, "HfApi", type("Api", (), {"model_info": raises(ValueError("ours"))}))
    with pytest.raises(ValueError, match="ours"):
        HuggingFaceHub().listing("someone/model")


def test_unknown_ids_sizes_and_missing_weights_are_one_sentence() -> None:
    assert "dinov2-small" in refusal(backbone, "dinov9", code="backbone-unknown")
    assert "multiple of 14, such as 224" in refusal(preprocessing_for, backbone("dinov2-small"), 225, code="image-size")
    assert preprocessing_for(backbone("dinov2-small"), 224).rows == 224
    assert "without its weights" in refusal(build_backbone, backbone("dinov2-small"), code="base-missing")
