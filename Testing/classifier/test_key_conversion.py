"""A checkpoint that does not fit is refused in one sentence that names what is wrong, by the names in the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from classifier import homes
from classifier.homes import Home, loaded
from safetensors.torch import load_file, save_file

from OsteoScreenLib.classifier.backbones import build_backbone
from OsteoScreenLib.classifier.base_weights import read
from OsteoScreenLib.classifier.key_conversion import convert, recognise
from OsteoScreenLib.classifier.key_formats import FORMATS
from OsteoScreenLib.errors import InputError

Tensors = dict[str, torch.Tensor]


def refused(home: Home, change: Callable[[Tensors], object], image_size: int | None = None) -> str:
    tensors = load_file(home.file)
    change(tensors)
    save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, home.file)
    with pytest.raises(InputError) as caught:
        loaded(home, image_size)
    message = str(caught.value)
    assert "\n" not in message and message.endswith("."), message
    return message


def coarser_patches(tensors: Tensors) -> None:
    (key,) = (key for key in tensors if key.endswith("patch_embedding.weight"))
    tensors[key] = torch.ones(32, 3, 8, 8)


CHANGES: list[tuple[Callable[[Path], Home], Callable[[Tensors], object], str]] = [
    (homes.dinov2, lambda t: t.pop("encoder.layer.1.attention.attention.key.weight"),
     r"transformers' DINOv2.*lacks encoder\.layer\.1\.attention\.attention\.key\.weight"),
    (homes.dinov2, lambda t: t.update({"encoder.layer.2.norm1.weight": torch.ones(32)}), r"unknown tensors encoder\.layer\.2\.norm1\.weight"),
    (homes.dinov2, lambda t: t.update({"layernorm.weight": torch.ones(48)}), r"another shape: layernorm\.weight \(48, not 32\)"),
    (homes.dinov2_own, lambda t: t.pop("cls_token"), r"DINOv2's own.*lacks cls_token"),
    (homes.siglip, lambda t: t.pop("head.probe"), r"SigLIP.*lacks head\.probe"),
    (homes.siglip, lambda t: t.pop("head.attention.in_proj_weight"), r"lacks head\.attention\.in_proj_weight;"),
    (lambda folder: homes.siglip(folder, whole=True), lambda t: t.pop("vision_model.post_layernorm.bias"), r"lacks vision_model\.post_layernorm\.bias"),
    (lambda folder: homes.clip(folder, whole=True), lambda t: t.update({"adapter.weight": torch.ones(2)}), r"unknown tensors adapter\.weight"),
    (homes.clip, coarser_patches, r"\(32×3×8×8, not 32×3×16×16\)"),
    (homes.open_clip_model, lambda t: t.pop("visual.ln_post.weight"), r"open_clip.*lacks visual\.ln_post\.weight"),
    (homes.open_clip_model, lambda t: t.update({"visual.positional_embedding": torch.ones(12, 32)}), "for 11 patches, which is no square"),
    (homes.dinov3, lambda t: t["layer.0.attention.q_proj.bias"].add_(1), r"unknown tensors layer\.0\.attention\.q_proj\.bias"),
    (homes.timm_own, lambda t: [t.pop(key) for key in list(t) if ".norm2." in key or key == "norm.bias"], r"lacks .*, .*, .* and 2 more"),
    (homes.eva, lambda t: t.pop("blocks.1.mlp.w12.bias"), r"EVA's own.*lacks blocks\.1\.mlp\.w12\.bias"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "change", "words"), CHANGES)
def test_what_does_not_fit_is_named(
    tmp_path: Path, make: Callable[[Path], Home], change: Callable[[Tensors], object], words: str
) -> None:
    message = refused(make(tmp_path), change)
    assert re.search(words, message), message


def test_another_family_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    dinov2, clip = homes.dinov2(tmp_path / "a"), homes.clip(tmp_path / "b")
    (tmp_path / "a" / "config.json").unlink()
    with pytest.raises(InputError, match=r"read as transformers' DINOv2, does not fit the network: it lacks norm_pre\.weight"):
        build_backbone(clip.backbone, weights=dinov2.file)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    home = homes.dinov2(tmp_path)
    message = refused(home, lambda t: (t.clear(), t.update({"conv1.weight": torch.ones(2), "fc.bias": torch.ones(2)})))
    assert "no vision transformer in a known format (its tensors: conv1.weight, fc.bias)" in message


def test_text_towers_and_heads_of_pretraining_are_passed_over_knowingly(tmp_path: Path) -> None:
    for make, known, passed in (
        (lambda folder: homes.siglip(folder, whole=True), "hf-siglip", r"text_model\..*|logit_scale|logit_bias"),
        (lambda folder: homes.clip(folder, whole=True), "hf-clip", r"text_model\..*|logit_scale|(text|visual)_projection\.weight"),
        (homes.open_clip_model, "open-clip",
         r"transformer\..*|token_embedding\.weight|positional_embedding|ln_final\..*|text_projection|logit_scale|visual\.proj"),
        (homes.dinov2, "hf-dinov2", r"embeddings\.mask_token"),
        (homes.eva, "eva", r"mask_token|lm_head\..*"),
        (homes.timm_own, "timm", r"head\..*"),
    ):  # fmt: skip
        home = make(tmp_path)  # type: ignore[no-untyped-call]
        network = build_backbone(home.backbone, random=True)
        before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
        found = convert(read(home.file), network, "it")
        assert found.format.id == known
        assert found.passed_over and all(re.fullmatch(passed, name) for name in found.passed_over), found.passed_over
        assert set(found.tensors) == {key for key in before if not key.startswith("head.")}
        assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items()), "only a look"


def test_half_precision_files_are_loaded_in_full(tmp_path: Path) -> None:
    home = homes.dinov2(tmp_path)
    save_file({key: tensor.half() for key, tensor in load_file(home.file).items()}, home.file)
    network = loaded(home)
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    images = homes.images_of(56)
    ours, theirs = homes.own_features(network, images)["pooled"], home.features(images)["pooled"]
    assert (ours - theirs).abs().max() < 0.05


def test_each_format_is_told_from_every_other(tmp_path: Path) -> None:
    """The file of one format is never taken for another's, although DINOv2's and timm's names are nearly the same."""
    makers: dict[str, Callable[[Path], Home]] = {
        "open-clip": homes.open_clip_model, "hf-clip": homes.clip, "hf-siglip": homes.siglip, "hf-dinov2": homes.dinov2,
        "hf-dinov2-registers": lambda folder: homes.dinov2(folder, "dinov2-small-reg"), "hf-dinov3": homes.dinov3,
        "dinov2": homes.dinov2_own, "dinov2-registers": lambda folder: homes.dinov2_own(folder, "dinov2-small-reg"),
        "eva": homes.eva, "timm": homes.timm_own,
    }  # fmt: skip
    assert {one.id for one in FORMATS} == {*makers, "open-clip-timm"}
    for name, make in makers.items():
        assert recognise(load_file(make(tmp_path).file).keys(), "it")[0].id == name
    renamed = {f"visual.trunk.{key}": tensor for key, tensor in load_file(homes.timm_own(tmp_path).file).items()}
    assert recognise(renamed, "it") == (next(one for one in FORMATS if one.id == "open-clip-timm"), "visual.trunk.")
