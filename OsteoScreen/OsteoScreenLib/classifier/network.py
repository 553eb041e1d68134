"""Building a bundle's network and loading its weights strictly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier import base_weights
from OsteoScreenLib.classifier.architectures import build_installed
from OsteoScreenLib.classifier.key_conversion import head_keys, load_base, shape_of, some
from OsteoScreenLib.classifier.lora import merge_lora, split_adapters
from OsteoScreenLib.classifier.model_bundle import Architecture, BaseWeights, ModelBundle
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn


def build_network(
    architecture: Architecture, preprocessing: PreprocessSpec, owner: str = "the bundle", classes: int = len(CLASSES)
) -> nn.Module:
    """A network with three outputs, or `classes`, and random weights, of timm or of an installed package; nothing is downloaded.

    timm's networks made for one input size (vision transformers) get the bundle's; the others take any.
    Raises `InputError` when timm, or the package, has no such network or refuses the options.
    """
    if architecture.package:
        shape = (preprocessing.channels, preprocessing.rows, preprocessing.columns)
        return build_installed(architecture.name, architecture.package, architecture.options, shape, classes, owner)
    return _create(architecture, preprocessing, owner, classes)


def load_network(model: ModelBundle, bases: Path | None = None) -> nn.Module:
    """The bundle's network with its weights, adapters merged, in evaluation mode, without gradients on its weights.

    bases : folder with base weights, for bundles that hold adapters alone; the folder of backbones (see `base_weights`) if not
        given. The base may be in any format that `key_formats` knows.
    """
    tensors = model.bundle.tensors()
    architecture = model.architecture
    if architecture.lora is None or architecture.base is None:
        network = build_network(architecture, model.preprocessing, model.id)
        load_strictly(network, tensors, model.id)
    else:
        base = _base_file(architecture.base, bases, model.id)
        network = build_network(architecture, model.preprocessing, model.id)
        load_base(network, base_weights.read(base), base.name)
        adapters, others = split_adapters(tensors)
        missing = sorted(key for key in head_keys(network) if key not in others)
        if missing:
            raise _keys_differ(model.id, f"lacks {some(missing)}")
        load_strictly(network, {**network.state_dict(), **others}, model.id)
        network = merge_lora(network, adapters, architecture.lora, model.id)
    return network.eval().requires_grad_(False)


def load_strictly(network: nn.Module, tensors: Mapping[str, torch.Tensor], owner: str) -> None:
    """Load a state dict whose keys and shapes must be exactly the network's; what differs is named in one sentence."""
    expected = network.state_dict()
    missing = [key for key in expected if key not in tensors]
    unexpected = [key for key in tensors if key not in expected]
    misshapen = [
        f"{key} ({shape_of(tensors[key])}, not {shape_of(expected[key])})"
        for key in expected
        if key in tensors and tensors[key].shape != expected[key].shape
    ]
    told = [f"lacks {some(missing)}"] if missing else []
    told += [f"has unknown tensors {some(unexpected)}"] if unexpected else []
    told += [f"has tensors of another shape: {some(misshapen)}"] if misshapen else []
    if told:
        raise _keys_differ(owner, " and ".join(told))
    network.load_state_dict(dict(tensors), strict=True)


def _create(architecture: Architecture, preprocessing: PreprocessSpec, owner: str, classes: int) -> nn.Module:
    import timm
    import torch

    if not timm.is_model(architecture.name.split(".")[0]):
        raise InputError(
            f'The bundle {owner} needs the network "{architecture.name}", which the installed timm {timm.__version__} does not '
            "have; update timm or choose another bundle.",
            code="bundle-architecture",
        )
    options: dict[str, Any] = dict(architecture.options)
    config = timm.get_pretrained_cfg(architecture.name, allow_unregistered=True)
    if config is not None and config.fixed_input_size:
        options["img_size"] = (preprocessing.rows, preprocessing.columns)
    try:
        # Random initialisation must not move the caller's random state.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network: nn.Module = timm.create_model(
                architecture.name, pretrained=False, **options, num_classes=classes, in_chans=preprocessing.channels
            )
    except Exception as error:  # timm's constructors raise whatever the wrong option led to
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise InputError(
            f'The network "{architecture.name}" of the bundle {owner} cannot be built with its options ({reason}); '
            "get the bundle again or choose another one.",
            code="bundle-architecture",
        ) from error
    _call_every_layer(network)
    return network


def _call_every_layer(network: nn.Module) -> None:
    """Some of timm's EVA networks read the weight of query, key and value instead of calling their layer, past any adapter on it.

    They can call it as well and add the biases after, which is the same sum.
    """
    for module in network.modules():
        if hasattr(module, "qkv_bias_separate"):
            module.qkv_bias_separate = True  # type: ignore[assignment]


def _base_file(base: BaseWeights, bases: Path | None, owner: str) -> Path:
    """The base weights of a bundle with adapters alone. Raises `InputError` (base-missing, base-altered)."""
    folder = base_weights.default_folder() if bases is None else bases
    path, right = base_weights.find_base(base.file, base.sha256, folder)
    if path is None:
        how = f"fetch them with 'osteoscreen models fetch {base.backbone}', or " if base.backbone else ""
        raise InputError(
            f"The bundle {owner} holds adapters only and needs the base weights {base.file}, which are not in {folder}; "
            f"{how}put the file into your folder of base weights.",
            code="base-missing",
        )
    if not right:
        raise InputError(
            f"The base weights {base.file} are not the ones that the bundle {owner} was made on (their SHA-256 differs); "
            "get the right file.",
            code="base-altered",
        )
    return path


def _keys_differ(owner: str, told: str) -> InputError:
    return InputError(
        f"The weights of the bundle {owner} do not fit its network: the file {told}; get the bundle again.",
        code="bundle-weights",
    )
