"""Any timm model becomes a bundle by the documented recipe; other networks come from an installed package, never from the bundle."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from builders import classifier_manifest, make_masks, make_radiograph
from safetensors.torch import save_file

from OsteoScreenLib.bundle import Bundle, write_bundle
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.classifier.network import load_network
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.saliency_methods import methods_for

RECIPE = Path(__file__).parents[2] / "Resources" / "Docs" / "own-models.md"

# One small member of each kind: patches with a class token, without one, with registers; windows; plain, mobile and old ConvNets.
FAMILIES: list[tuple[str, int, dict[str, Any]]] = [
    ("vit_tiny_patch16_224", 32, {"depth": 1, "embed_dim": 24, "num_heads": 2}),
    ("vit_small_patch14_reg4_dinov2", 28, {"depth": 1, "embed_dim": 24, "num_heads": 2}),
    ("deit3_small_patch16_224", 32, {"depth": 1, "embed_dim": 24, "num_heads": 2}),
    ("vit_base_patch16_siglip_224", 32, {"depth": 1, "embed_dim": 24, "num_heads": 2}),
    ("eva02_tiny_patch14_224", 28, {"depth": 1, "embed_dim": 24, "num_heads": 2}),
    ("swin_tiny_patch4_window7_224", 56, {"depths": [1, 1, 1, 1], "embed_dim": 8, "num_heads": [1, 1, 1, 1]}),
    ("convnext_atto", 64, {"depths": [1, 1, 1, 1], "dims": [8, 8, 8, 8]}),
    ("resnet10t", 64, {"channels": [8, 8, 8, 8]}),
    ("efficientnet_b0", 64, {}),
    ("mobilenetv3_small_050", 64, {}),
    ("densenet121", 64, {}),
]


@pytest.fixture(scope="module")
def wrap() -> Callable[..., Bundle]:
    """The function of the recipe, as it stands in the docs."""
    found: dict[str, Any] = {}
    (block,) = (
        text for text in re.findall(r"```python\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.S) if "def wrap" in text
    )
    exec(block, found)
    return found["wrap"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "size", "options"), FAMILIES, ids=[name for name, _, _ in FAMILIES])
def test_the_recipe_wraps_any_timm_model(
    tmp_path: Path, wrap: Callable[..., Bundle], name: str, size: int, options: dict[str, Any]
) -> None:
    fixed = {"img_size": size} if timm.get_pretrained_cfg(name).fixed_input_size else {}
    torch.manual_seed(1)
    trained = timm.create_model(name, num_classes=3, in_chans=3, **fixed, **options).eval()
    save_file({key: tensor.contiguous().clone() for key, tensor in trained.state_dict().items()}, tmp_path / "w.safetensors")
    classifier = Classifier.load(wrap(tmp_path / "mine", tmp_path / "w.safetensors", name, size, options), "cpu", "fp32")
    pixels = make_radiograph((90, 80)).pixels
    with torch.inference_mode():
        wanted = torch.softmax(trained(classifier.preprocess(pixels[None])).double(), 1)[0].numpy()
    np.testing.assert_allclose(classifier.predict(pixels[None])[0], wanted, atol=1e-5)
    assert "grad-cam" in methods_for(classifier.network)
    assert saliency_map(classifier, pixels, "osteoporosis", "grad-cam").grid.ndim == 2


PACKAGE = '''
import torch
from torch import nn


class Plain(nn.Module):
    """A network that is in no library."""

    def __init__(self, classes, channels, width):
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 8, 8)
        self.head = nn.Linear(width, classes)

    def forward_features(self, x):
        return self.stem(x)

    def forward(self, x):
        return self.head(self.forward_features(x).relu().mean((2, 3)))


def build(*, classes, channels, rows, columns, width=4):
    assert rows % 8 == 0, "rows must divide by 8"
    return Plain(classes, channels, width)


def two_logits(*, classes, channels, rows, columns):
    return Plain(2, channels, 4)


def no_module(**_):
    return "a network"


def deaf(*, classes, channels, rows, columns):
    return Plain(classes, channels + 1, 4)
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package "Acme_Osteo" with several entry points."""
    site = tmp_path / "site"
    info = site / "acme_osteo-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_osteo.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme_Osteo\nVersion: 1.0\n")
    names = {"plain": "build", "two": "two_logits", "text": "no_module", "deaf": "deaf", "gone": "not_there"}
    lines = "".join(f"{name} = acme_osteo:{function}\n" for name, function in names.items())
    (info / "entry_points.txt").write_text(f"[osteoscreen.architectures]\n{lines}")
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield site
    sys.modules.pop("acme_osteo", None)


def manifest_of(name: str, package: str = "acme-osteo", **options: Any) -> dict[str, Any]:
    return classifier_manifest(
        architecture={"library": "entry-point", "package": package, "name": name, "options": options}, bundle_id="foreign"
    )


def foreign_bundle(folder: Path, width: int = 6) -> Bundle:
    module = importlib.import_module("acme_osteo")
    torch.manual_seed(3)
    return write_bundle(folder, manifest_of("plain", width=width), module.Plain(3, 1, width).state_dict(), "card")


def test_a_network_of_an_installed_package_is_used_like_any_other(tmp_path: Path, package: Path) -> None:
    bundle = foreign_bundle(tmp_path / "foreign")
    classifier = Classifier.load(bundle, "cpu", "fp32")
    assert type(classifier.network).__module__ == "acme_osteo"
    radiograph, masks = make_radiograph(), make_masks()
    with torch.inference_mode():
        wanted = torch.softmax(classifier.network(classifier.preprocess(radiograph.pixels[None])), 1)[0]
    np.testing.assert_allclose(classifier.predict(radiograph.pixels[None])[0], wanted.numpy(), atol=1e-6)
    assert saliency_map(classifier, radiograph.pixels, "osteoporosis", "layercam").grid.shape == (7, 7)
    table = BoneSweep(radiograph.pixels, masks, classifier, SweepRequest(controls=0)).run()
    assert any(row.effect.delta_points != 0 for row in table.rows)


def test_loading_it_leaves_the_callers_random_state_alone(tmp_path: Path, package: Path) -> None:
    model = ModelBundle.from_bundle(foreign_bundle(tmp_path / "foreign"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_network(model)
    assert torch.equal(torch.rand(3), expected)


def refused(folder: Path, manifest: dict[str, Any]) -> str:
    bundle = write_bundle(folder, manifest, {"w": torch.zeros(1)}, "card")
    with pytest.raises(InputError) as caught:
        load_network(ModelBundle.from_bundle(bundle))
    message = str(caught.value)
    assert "\n" not in message and message.endswith("."), message
    return message


def test_without_the_package_one_sentence_names_it_and_nothing_is_run(tmp_path: Path) -> None:
    assert "Python package acme-osteo" in refused(tmp_path / "a", manifest_of("plain"))
    assert "acme_osteo" not in sys.modules


def test_another_packages_entry_point_is_not_taken_for_it(tmp_path: Path, package: Path) -> None:
    assert "Python package other-osteo" in refused(tmp_path / "a", manifest_of("plain", "other-osteo"))
    assert "acme_osteo" not in sys.modules


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two", "3 logits"),
        ("text", r"no torch\.nn\.Module"),
        ("deaf", "fails on its input"),
        ("gone", "failed to build it"),
        ("absent", "not in a version that has it"),
    ],
)
def test_what_can_be_wrong_with_the_package_is_one_sentence(tmp_path: Path, package: Path, name: str, words: str) -> None:
    assert re.search(words, refused(tmp_path / "a", manifest_of(name)))


def test_its_own_complaint_and_foreign_weights_are_told(tmp_path: Path, package: Path) -> None:
    assert "heads" in refused(tmp_path / "a", manifest_of("plain", heads=3))
    assert "lacks stem.weight" in refused(tmp_path / "b", manifest_of("plain"))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("architecture.package", {"package": "../acme"}),
        ("architecture.package", {"package": ""}),
        ("architecture.name", {"name": "acme_osteo:build"}),
        ("architecture.options.rows", {"options": {"rows": 8}}),
        ("architecture.options.checkpoint", {"options": {"checkpoint": "x"}}),
        ("architecture.lora", {"lora": {"rank": 1}}),
        ("architecture.library", {"library": "acme_osteo"}),
        ("architecture.package", {"library": "timm"}),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, key: str, change: dict[str, Any]) -> None:
    manifest = manifest_of("plain")
    manifest["architecture"] |= change
    assert f'"{key}"' in refused(tmp_path / "a", manifest)
