"""How the libraries name the tensors of their vision transformers, as tables: a timm name and the names it is made from.

In the tables `{i}` stands for a block's number and `{p}` for "weight" or "bias". Several names are concatenated along the first axis,
as timm keeps query, key and value in one tensor; a `Thirds` takes a part of a tensor that holds all three.

Position embeddings of another input size are resampled as the checkpoint's own library does it: bicubic, with or without
antialiasing (`antialias`), which also changes the cubic's coefficient in PyTorch (-0.5 with, -0.75 without).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Thirds:
    """Thirds `first` to `last` (excluded) of a tensor that holds query, key and value one after the other."""

    name: str
    first: int
    last: int


Source = str | Thirds


@dataclass(frozen=True)
class KeyFormat:
    """One library's names.

    id : a short name. title : for messages. signature : names that, below one of the `prefixes`, tell the format.
    rules : timm name → names that make it. alike : names without a rule are timm's own.
    passed_over : pattern of whole names that are known and not needed, such as a text tower's or a pretraining head's.
    zero : pattern of names that may go unused when they hold zeros alone.
    class_position : the position embedding begins with the class token's.
    antialias : how the library itself resamples position embeddings.
    """

    id: str
    title: str
    signature: tuple[str, ...]
    prefixes: tuple[str, ...]
    rules: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    alike: bool = False
    passed_over: str = ""
    zero: str = ""
    class_position: bool = False
    antialias: bool = True

    def sources(self, timm_name: str) -> tuple[Source, ...] | None:
        """The names, below the prefix, that make the tensor which timm calls `timm_name`; None where the format has none."""
        block = re.search(r"(?<=blocks\.)\d+(?=\.)", timm_name)
        general = timm_name if block is None else f"{timm_name[: block.start()]}{{i}}{timm_name[block.end() :]}"
        stem, _, leaf = general.rpartition(".")
        rule = self.rules.get(general, self.rules.get(f"{stem}.{{p}}") if leaf in ("weight", "bias") else None)
        if rule is None:
            return (timm_name,) if self.alike else None

        def named(name: str) -> str:
            return name.replace("{i}", block.group() if block else "").replace("{p}", leaf)

        return tuple(
            named(source) if isinstance(source, str) else Thirds(named(source.name), source.first, source.last)
            for source in rule
        )


_DINOV2_HF: dict[str, tuple[Source, ...]] = {
    "cls_token": ("embeddings.cls_token",),
    "reg_token": ("embeddings.register_tokens",),
    "pos_embed": ("embeddings.position_embeddings",),
    "patch_embed.proj.{p}": ("embeddings.patch_embeddings.projection.{p}",),
    "blocks.{i}.norm1.{p}": ("encoder.layer.{i}.norm1.{p}",),
    "blocks.{i}.attn.qkv.{p}": tuple(
        f"encoder.layer.{{i}}.attention.attention.{one}.{{p}}" for one in ("query", "key", "value")
    ),
    "blocks.{i}.attn.proj.{p}": ("encoder.layer.{i}.attention.output.dense.{p}",),
    "blocks.{i}.ls1.gamma": ("encoder.layer.{i}.layer_scale1.lambda1",),
    "blocks.{i}.norm2.{p}": ("encoder.layer.{i}.norm2.{p}",),
    "blocks.{i}.mlp.fc1.{p}": ("encoder.layer.{i}.mlp.fc1.{p}",),
    "blocks.{i}.mlp.fc2.{p}": ("encoder.layer.{i}.mlp.fc2.{p}",),
    "blocks.{i}.ls2.gamma": ("encoder.layer.{i}.layer_scale2.lambda1",),
    "norm.{p}": ("layernorm.{p}",),
}
_DINOV3_HF: dict[str, tuple[Source, ...]] = {
    "cls_token": ("embeddings.cls_token",),
    "reg_token": ("embeddings.register_tokens",),
    "patch_embed.proj.{p}": ("embeddings.patch_embeddings.{p}",),
    "blocks.{i}.norm1.{p}": ("layer.{i}.norm1.{p}",),
    "blocks.{i}.attn.qkv.weight": tuple(f"layer.{{i}}.attention.{one}_proj.weight" for one in "qkv"),
    "blocks.{i}.attn.q_bias": ("layer.{i}.attention.q_proj.bias",),
    "blocks.{i}.attn.v_bias": ("layer.{i}.attention.v_proj.bias",),
    "blocks.{i}.attn.proj.{p}": ("layer.{i}.attention.o_proj.{p}",),
    "blocks.{i}.gamma_1": ("layer.{i}.layer_scale1.lambda1",),
    "blocks.{i}.norm2.{p}": ("layer.{i}.norm2.{p}",),
    "blocks.{i}.mlp.fc1.{p}": ("layer.{i}.mlp.up_proj.{p}",),
    "blocks.{i}.mlp.fc2.{p}": ("layer.{i}.mlp.down_proj.{p}",),
    "blocks.{i}.gamma_2": ("layer.{i}.layer_scale2.lambda1",),
    "norm.{p}": ("norm.{p}",),
}
_CLIP_HF: dict[str, tuple[Source, ...]] = {
    "cls_token": ("embeddings.class_embedding",),
    "pos_embed": ("embeddings.position_embedding.weight",),
    "patch_embed.proj.{p}": ("embeddings.patch_embedding.{p}",),
    "norm_pre.{p}": ("pre_layrnorm.{p}",),
    "blocks.{i}.norm1.{p}": ("encoder.layers.{i}.layer_norm1.{p}",),
    "blocks.{i}.attn.qkv.{p}": tuple(f"encoder.layers.{{i}}.self_attn.{one}_proj.{{p}}" for one in "qkv"),
    "blocks.{i}.attn.proj.{p}": ("encoder.layers.{i}.self_attn.out_proj.{p}",),
    "blocks.{i}.norm2.{p}": ("encoder.layers.{i}.layer_norm2.{p}",),
    "blocks.{i}.mlp.fc1.{p}": ("encoder.layers.{i}.mlp.fc1.{p}",),
    "blocks.{i}.mlp.fc2.{p}": ("encoder.layers.{i}.mlp.fc2.{p}",),
    "norm.{p}": ("post_layernorm.{p}",),
}
_SIGLIP_HEAD: dict[str, tuple[Source, ...]] = {
    "attn_pool.latent": ("head.probe",),
    "attn_pool.q.{p}": (Thirds("head.attention.in_proj_{p}", 0, 1),),
    "attn_pool.kv.{p}": (Thirds("head.attention.in_proj_{p}", 1, 3),),
    "attn_pool.proj.{p}": ("head.attention.out_proj.{p}",),
    "attn_pool.norm.{p}": ("head.layernorm.{p}",),
    "attn_pool.mlp.fc1.{p}": ("head.mlp.fc1.{p}",),
    "attn_pool.mlp.fc2.{p}": ("head.mlp.fc2.{p}",),
}
_OPEN_CLIP: dict[str, tuple[Source, ...]] = {
    "cls_token": ("class_embedding",),
    "pos_embed": ("positional_embedding",),
    "patch_embed.proj.{p}": ("conv1.{p}",),
    "norm_pre.{p}": ("ln_pre.{p}",),
    "blocks.{i}.norm1.{p}": ("transformer.resblocks.{i}.ln_1.{p}",),
    "blocks.{i}.attn.qkv.{p}": ("transformer.resblocks.{i}.attn.in_proj_{p}",),
    "blocks.{i}.attn.proj.{p}": ("transformer.resblocks.{i}.attn.out_proj.{p}",),
    "blocks.{i}.ls1.gamma": ("transformer.resblocks.{i}.ls_1.gamma",),
    "blocks.{i}.norm2.{p}": ("transformer.resblocks.{i}.ln_2.{p}",),
    "blocks.{i}.mlp.fc1.{p}": ("transformer.resblocks.{i}.mlp.c_fc.{p}",),
    "blocks.{i}.mlp.fc2.{p}": ("transformer.resblocks.{i}.mlp.c_proj.{p}",),
    "blocks.{i}.ls2.gamma": ("transformer.resblocks.{i}.ls_2.gamma",),
    "norm.{p}": ("ln_post.{p}",),
}
_EVA: dict[str, tuple[Source, ...]] = {
    "blocks.{i}.attn.q_proj.bias": ("blocks.{i}.attn.q_bias",),
    "blocks.{i}.attn.v_proj.bias": ("blocks.{i}.attn.v_bias",),
    "blocks.{i}.mlp.fc1.{p}": ("blocks.{i}.mlp.w12.{p}",),
    "blocks.{i}.mlp.fc1_g.{p}": ("blocks.{i}.mlp.w1.{p}",),
    "blocks.{i}.mlp.fc1_x.{p}": ("blocks.{i}.mlp.w2.{p}",),
    "blocks.{i}.mlp.norm.{p}": ("blocks.{i}.mlp.ffn_ln.{p}",),
    "blocks.{i}.mlp.fc2.{p}": ("blocks.{i}.mlp.w3.{p}",),
    # Where a network pools the patches' mean, timm puts the last norm behind the pooling.
    "fc_norm.{p}": ("norm.{p}",),
}
_TEXT_HF = r"text_model\..*|text_projection\..*|visual_projection\..*|logit_scale|logit_bias|(.*\.)?position_ids"
_TEXT_OPEN_CLIP = (
    r"(module\.)?(text\..*|transformer\..*|token_embedding\..*|positional_embedding|ln_final\..*|text_projection(\..*)?"
    r"|logit_scale|logit_bias|attn_mask|visual\.proj|visual\.head\..*)"
)
_PRETRAINING = r"(.*\.)?mask_token"

FORMATS: tuple[KeyFormat, ...] = (
    KeyFormat(
        "open-clip", "an open_clip model", ("class_embedding", "conv1.weight", "transformer.resblocks.0.ln_1.weight"),
        ("visual.", "module.visual."), _OPEN_CLIP, passed_over=_TEXT_OPEN_CLIP, class_position=True,
    ),
    KeyFormat(
        "open-clip-timm", "an open_clip model with a tower of timm", ("patch_embed.proj.weight", "blocks.0.norm1.weight"),
        ("visual.trunk.", "module.visual.trunk."), alike=True, passed_over=_TEXT_OPEN_CLIP,
    ),
    KeyFormat(
        "hf-clip", "transformers' CLIP", ("embeddings.class_embedding", "embeddings.patch_embedding.weight"),
        ("vision_model.", ""), _CLIP_HF, passed_over=_TEXT_HF, class_position=True, antialias=False,
    ),
    KeyFormat(
        "hf-siglip", "transformers' SigLIP", ("embeddings.patch_embedding.bias", "embeddings.position_embedding.weight"),
        ("vision_model.", ""), _CLIP_HF | _SIGLIP_HEAD, passed_over=_TEXT_HF, antialias=False,
    ),
    KeyFormat(
        "hf-dinov2-registers", "transformers' DINOv2 with registers",
        ("embeddings.position_embeddings", "embeddings.register_tokens", "encoder.layer.0.norm1.weight"),
        ("", "dinov2_with_registers."), _DINOV2_HF, passed_over=rf"{_PRETRAINING}|classifier\..*", class_position=True,
    ),
    KeyFormat(
        "hf-dinov2", "transformers' DINOv2", ("embeddings.position_embeddings", "encoder.layer.0.layer_scale1.lambda1"),
        ("", "dinov2."), _DINOV2_HF, passed_over=rf"{_PRETRAINING}|classifier\..*", class_position=True, antialias=False,
    ),
    KeyFormat(
        "hf-dinov3", "transformers' DINOv3", ("embeddings.register_tokens", "layer.0.attention.q_proj.weight"),
        ("", "model."), _DINOV3_HF, passed_over=_PRETRAINING, zero=r".*\.attention\.[qv]_proj\.bias",
    ),
    KeyFormat(
        "dinov2-registers", "DINOv2's own, with registers", ("register_tokens", "pos_embed", "blocks.0.ls1.gamma"),
        ("",), {"reg_token": ("register_tokens",)}, alike=True, passed_over=_PRETRAINING, class_position=True,
    ),
    KeyFormat(
        "dinov2", "DINOv2's own", ("mask_token", "pos_embed", "blocks.0.ls1.gamma"),
        ("",), alike=True, passed_over=_PRETRAINING, class_position=True, antialias=False,
    ),
    KeyFormat(
        "eva", "EVA's own", ("blocks.0.mlp.w3.weight", "blocks.0.attn.q_bias", "pos_embed"), ("", "visual."), _EVA, alike=True,
        passed_over=rf"{_PRETRAINING}|lm_head\..*|head\..*|(.*\.)?rope\..*|{_TEXT_OPEN_CLIP}",
    ),
    KeyFormat(
        "timm", "timm's own", ("patch_embed.proj.weight", "blocks.0.norm1.weight"), ("", "model.", "module."), alike=True,
        passed_over=r"(model\.|module\.)?(head\..*|head_dist\..*|pre_logits\..*)",
    ),
)  # fmt: skip
"""Every known format, the more particular ones first and timm's own last."""
