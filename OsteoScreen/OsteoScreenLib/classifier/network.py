"""Building a bundle's network and loading its weights strictly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier.architectures import build_installed
from OsteoScreenLib.classifier.lora import merge_lora, split_adapters
from OsteoScreenLib.classifier.model_bundle import Architecture, BaseWeights, ModelBundle
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import sha256_of_file

if TYPE_CHECKING:
    import torch
    from torch import nn


def build_network(architecture: Architecture, preprocessing: PreprocessSpec, owner: str = "the bundle") -> nn.Module:
    """A network with three outputs and random weights, of timm or of an installed package; nothing is downloaded.

    timm's networks made for one input size (vision transformers) get the bundle's; the others take any.
    Raises `InputError` when timm, or the package, has no such network or refuses the options.
    """
    if architecture.package:
        shape = (preprocessing.channels, preprocessing.rows, preprocessing.columns)
        return build_installed(architecture.name, architecture.package, architecture.options, shape, len(CLASSES), owner)
    return _create(architecture, preprocessing, owner)


def load_network(model: ModelBundle, bases: Path | None = None) -> nn.Module:
    """The bundle's network with its weights, adapters merged, in evaluation mode, without gradients on its weights.

    bases : folder with base weights, for bundles that hold adapters alone.
    """
    tensors = model.bundle.tensors()
    architecture = model.architecture
    if architecture.lora is None or architecture.base is None:
        network = build_network(architecture, model.preprocessing, model.id)
        load_strictly(network, tensors, model.id)
    else:
        base = _base_file(architecture.base, bases, model.id)
        network = _create(architecture, model.preprocessing, model.id, base)
        adapters, others = split_adapters(tensors)
        missing = sorted(key for key in _head_keys(network) if key not in others)
        if missing:
            raise _keys_differ(model.id, f"lacks {_some(missing)}")
        load_strictly(network, {**network.state_dict(), **others}, model.id)
        network = merge_lora(network, adapters, architecture.lora, model.id)
    return network.eval().requires_grad_(False)


def load_strictly(network: nn.Module, tensors: Mapping[str, torch.Tensor], owner: str) -> None:
    """Load a state dict whose keys and shapes must be exactly the network's; what differs is named in one sentence."""
    expected = network.state_dict()
    missing = [key for key in expected if key not in tensors]
    unexpected = [key for key in tensors if key not in expected]
    misshapen = [
        f"{key} ({_shape(tensors[key])}, not {_shape(expected[key])})"
        for key in expected
        if key in tensors and tensors[key].shape != expected[key].shape
    ]
    told = [f"lacks {_some(missing)}"] if missing else []
    told += [f"has unknown tensors {_some(unexpected)}"] if unexpected else []
    told += [f"has tensors of another shape: {_some(misshapen)}"] if misshapen else []
    if told:
        raise _keys_differ(owner, " and ".join(told))
    network.load_state_dict(dict(tensors), strict=True)


def _create(architecture: Architecture, preprocessing: PreprocessSpec, owner: str, base: Path | None = None) -> nn.Module:
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
    if base is not None:
        # timm reads the local file and converts foreign key formats and position embeddings on the way.
        options |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(base), "hf_hub_id": None, "url": ""}}
    try:
        # Random initialisation must not move the caller's random state.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network: nn.Module = timm.create_model(
                architecture.name, **{"pretrained": False, **options}, num_classes=len(CLASSES), in_chans=preprocessing.channels
            )
    except Exception as error:  # timm's constructors raise whatever the wrong option led to
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise InputError(
            f'The network "{architecture.name}" of the bundle {owner} cannot be built with its options ({reason}); '
            "get the bundle again or choose another one.",
            code="bundle-architecture",
        ) from error
    return network


def _base_file(base: BaseWeights, bases: Path | None, owner: str) -> Path:
    if bases is None or not (bases / base.file).is_file():
        where = f"is not in {bases}" if bases is not None else "was not given"
        raise InputError(
            f"The bundle {owner} holds adapters only and needs the base weights {base.file}, which {where}; "
            "put the file into your folder of base weights.",
            code="base-missing",
        )
    path = bases / base.file
    if sha256_of_file(path) != base.sha256:
        raise InputError(
            f"The base weights {base.file} are not the ones that the bundle {owner} was made on (their SHA-256 differs); "
            "get the right file.",
            code="base-altered",
        )
    return path


def _head_keys(network: nn.Module) -> list[str]:
    """The classifier's own tensors, which no base provides."""
    name = getattr(network, "default_cfg", {}).get("classifier", "head")
    names = (name,) if isinstance(name, str) else tuple(name)
    return [key for key in network.state_dict() if any(key == n or key.startswith(n + ".") for n in names)]


def _keys_differ(owner: str, told: str) -> InputError:
    return InputError(
        f"The weights of the bundle {owner} do not fit its network: the file {told}; get the bundle again.",
        code="bundle-weights",
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(str(size) for size in tensor.shape) or "scalar"
