"""The saliency methods: what each is called, where it is published, and which networks can give it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.hooking import is_transformer


@dataclass(frozen=True)
class SaliencyMethod:
    """One way of drawing where a network looked.

    key : how options name it. title : how people read it; `SaliencyMap.method`. paper : where it is published.
    networks : "any", or "transformer" for what reads the attention of vision transformers.
    class_specific : False where the map is the same for every target. words : what it shows, for the reader, in one sentence.
    """

    key: str
    title: str
    paper: str
    networks: Literal["any", "transformer"]
    class_specific: bool
    words: str


_ALL = (
    SaliencyMethod(
        "grad-cam", "Grad-CAM", "Selvaraju et al., ICCV 2017, doi 10.1109/ICCV.2017.74", "any", True,
        "Where the network's last features speak for the class, each feature weighted by its mean gradient.",
    ),
    SaliencyMethod(
        "grad-cam++", "Grad-CAM++", "Chattopadhay et al., WACV 2018, doi 10.1109/WACV.2018.00097", "any", True,
        "Grad-CAM with weights that let several small places count as much as one large place.",
    ),
    SaliencyMethod(
        "hirescam", "HiResCAM", "Draelos and Carin 2020, arXiv 2011.08891", "any", True,
        "Features times gradients, place by place: where the last features raise the score, without averaging over the image.",
    ),
    SaliencyMethod(
        "layercam", "LayerCAM", "Jiang et al., IEEE TIP 2021, doi 10.1109/TIP.2021.3089943", "any", True,
        "Features times their positive gradients, place by place.",
    ),
    SaliencyMethod(
        "eigencam", "EigenCAM", "Muhammad and Yeasin, IJCNN 2020, doi 10.1109/IJCNN48605.2020.9206626", "any", False,
        "Where the last features differ most from their mean; it knows no class and is the same for every target.",
    ),
    SaliencyMethod(
        "score-cam", "Score-CAM", "Wang et al., CVPR Workshops 2020, doi 10.1109/CVPRW50498.2020.00020", "any", True,
        "Each feature weighted by the answer to the image seen through it: no gradients, but one pass a feature, so it is slow.",
    ),
    SaliencyMethod(
        "rollout", "Attention rollout", "Abnar and Zuidema, ACL 2020, doi 10.18653/v1/2020.acl-main.385", "transformer", False,
        "What attention, multiplied through all blocks, hands to the answer; it knows no class and is the same for every target.",
    ),
    SaliencyMethod(
        "gradient-attention", "Gradient attention", "after LeGrad: Bousselham et al. 2024, arXiv 2404.03214", "transformer", True,
        "Where more attention, in any block, would raise the class.",
    ),
)  # fmt: skip

SALIENCY_METHODS: Mapping[str, SaliencyMethod] = MappingProxyType({method.key: method for method in _ALL})
GRAD_CAM, GRADIENT_ATTENTION = "grad-cam", "gradient-attention"
DEFAULT_METHOD = "auto"  # in place of a key: what finds the truth on this kind of network, `default_among`


def default_among(keys: Collection[str]) -> str:
    """The default of a network that can give these methods: gradient attention on vision transformers, else Grad-CAM.

    By the project's explanation bench (Resources/Docs/explanation-bench.md): on the vision transformer tried there Grad-CAM never put the
    bones that carried the signal first, and gradient attention mostly did.
    """
    return GRADIENT_ATTENTION if GRADIENT_ATTENTION in keys else GRAD_CAM


def methods_for(network: Any) -> tuple[str, ...]:
    """The keys of the methods that a timm network can give, in the registry's order."""
    attends = is_transformer(network)
    return tuple(method.key for method in _ALL if attends or method.networks == "any")


def method_for(key: str, network: Any) -> SaliencyMethod:
    """The method of this key, or of `DEFAULT_METHOD` for this network. Raises `InputError` when there is none, or when the network cannot give it."""
    if key == DEFAULT_METHOD:
        key = default_among(methods_for(network))
    if key not in SALIENCY_METHODS:
        raise InputError(
            f"There is no saliency method called '{key}'; choose one of {', '.join(methods_for(network))}.",
            code="saliency-method",
        )
    if key not in methods_for(network):
        raise cannot_give(SALIENCY_METHODS[key], network)
    return SALIENCY_METHODS[key]


def cannot_give(method: SaliencyMethod, network: Any) -> InputError:
    """What is said of a network without the attention that a method reads."""
    others = ", ".join(other.key for other in _ALL if other.networks == "any")
    return InputError(
        f"{method.title} reads the attention between all image patches, which the network {type(network).__name__} does not "
        f"have; choose one of {others}.",
        code="saliency-method",
    )
