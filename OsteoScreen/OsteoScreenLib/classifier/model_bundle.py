"""The typed view of a classifier's bundle: every key of its manifest is checked, and a wrong one is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.classifier.architectures import GIVEN
from OsteoScreenLib.classifier.manifest_reader import ManifestReader
from OsteoScreenLib.classifier.prediction import CLASSES, OperatingPoints, PointPerformance
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError

TUNINGS = ("full", "linear", "partial", "lora")

TIMM, INSTALLED = "timm", "entry-point"  # where a network comes from

_TIMM_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?")
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_OPTION_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Options that would read files, contact a hub, or change what the rest of the manifest states.
_FORBIDDEN_OPTION = re.compile(
    r"pretrained.*|checkpoint.*|cache.*|model_name|num_classes|in_chans|img_size|features.*|out_indices|scriptable|exportable|no_jit"
)


@dataclass(frozen=True)
class LoraSettings:
    """How adapters sit on their base: rank, alpha (the product is scaled by alpha / rank) and the layers' names."""

    rank: int
    alpha: int
    targets: tuple[str, ...]


@dataclass(frozen=True)
class BaseWeights:
    """Weights that a bundle with adapters alone stands on: a safetensors file the user keeps in a local folder.

    backbone : its id in the registry of backbones, "" where it is none of them; only for telling the user what to fetch.
    """

    file: str
    sha256: str
    backbone: str = ""


@dataclass(frozen=True)
class Architecture:
    """A network: its name in timm, further options of its constructor, and LoRA adapters kept apart if any.

    package : empty for timm; otherwise the installed Python package whose entry point of this name builds it (see `architectures`).
    """

    name: str
    options: Mapping[str, Any]
    lora: LoraSettings | None = None
    base: BaseWeights | None = None
    package: str = ""

    def to_manifest(self) -> dict[str, Any]:
        """The "architecture" table of a manifest, which `ModelBundle.from_bundle` reads back."""
        table: dict[str, Any] = {
            "library": INSTALLED if self.package else TIMM,
            "name": self.name,
            "options": dict(self.options),
        }
        if self.package:
            table["package"] = self.package
        if self.lora is not None and self.base is not None:
            table["lora"] = {"rank": self.lora.rank, "alpha": self.lora.alpha, "targets": list(self.lora.targets)}
            named = {"backbone": self.base.backbone} if self.base.backbone else {}
            table["base"] = {"file": self.base.file, "sha256": self.base.sha256, **named}
        return table


@dataclass(frozen=True)
class ModelBundle:
    """A classifier's bundle, understood.

    temperature : logits are divided by it before the softmax. simulated : trained on simulated radiographs only.
    performance : of the class decision at the operating points, as its makers measured it; empty where they do not say.
    """

    bundle: Bundle
    architecture: Architecture
    preprocessing: PreprocessSpec
    operating_points: OperatingPoints
    temperature: float
    tuning: str
    simulated: bool
    performance: tuple[PointPerformance, ...] = ()

    @property
    def id(self) -> str:
        """The bundle's own name."""
        return self.bundle.id

    @property
    def title(self) -> str:
        """The bundle's title for people."""
        return str(self.bundle.manifest["title"])

    @property
    def site(self) -> str:
        """The body site it is made for, for example "chest-frontal"."""
        return str(self.bundle.manifest["site"])

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> ModelBundle:
        """Check the manifest of a classifier. Raises `InputError` naming the key that is wrong."""
        if bundle.kind != "classifier":
            raise InputError(
                f"The bundle {bundle.id} is a {bundle.kind}, but a classifier is needed here; choose another bundle.",
                code="bundle-kind",
            )
        read = ManifestReader(bundle.manifest, bundle.id)
        if bundle.manifest.get("classes") != list(CLASSES):
            raise read.wrong("classes", f"the list {', '.join(CLASSES)} in this order")
        points = read.section("operating_points").only("osteoporosis", "low_bone_mass")
        training = read.section("training")
        if "simulated" not in training.table:
            raise training.wrong("simulated", "true or false")
        return cls(
            bundle=bundle,
            architecture=_architecture(read.section("architecture")),
            preprocessing=PreprocessSpec.from_manifest(bundle.manifest["preprocessing"], bundle.id),
            operating_points=OperatingPoints(points.number("osteoporosis", 0.0, 1.0), points.number("low_bone_mass", 0.0, 1.0)),
            temperature=read.number("temperature", 0.01, 100.0),
            tuning=read.choice("tuning", TUNINGS),
            simulated=training.flag("simulated", False),
            performance=_performance(read.section("performance")),
        )


def _performance(read: ManifestReader) -> tuple[PointPerformance, ...]:
    if not read.table:
        return ()
    read.only("measured_on", "osteoporosis", "low_bone_mass")
    measured_on = read.text("measured_on")
    found = []
    for point in ("osteoporosis", "low_bone_mass"):
        if point in read.table:
            at = read.section(point).only("sensitivity", "specificity", "positives", "negatives")
            shares = at.number("sensitivity", 0.0, 1.0), at.number("specificity", 0.0, 1.0)
            counts = at.integer("positives", 1, 10**9), at.integer("negatives", 1, 10**9)
            found.append(PointPerformance(point.replace("_", " "), *shares, *counts, measured_on))
    return tuple(found)


def _architecture(read: ManifestReader) -> Architecture:
    installed = read.choice("library", (TIMM, INSTALLED)) == INSTALLED
    read.only("library", "name", "options", *(("package",) if installed else ("lora", "base")))
    name = read.text("name")
    if not (_PACKAGE_NAME if installed else _TIMM_NAME).fullmatch(name):
        raise read.wrong("name", "the plain name of an entry point" if installed else "the plain name of a timm model")
    options = read.section("options")
    for key, value in options.table.items():
        if not _OPTION_NAME.fullmatch(key) or _FORBIDDEN_OPTION.fullmatch(key) or (installed and key in GIVEN):
            raise options.wrong(key, "left out, for it is not an option that a bundle may set")
        if not _is_plain(value):
            raise options.wrong(key, "a number, a text, true, false, or a list of numbers")
    if installed:
        package = read.text("package")
        if not _PACKAGE_NAME.fullmatch(package):
            raise read.wrong("package", "the plain name of a Python package")
        return Architecture(name, dict(options.table), package=package)
    if ("lora" in read.table) != ("base" in read.table):
        raise read.wrong("lora", 'given together with "architecture.base", or not at all')
    if "lora" not in read.table:
        return Architecture(name, dict(options.table))
    lora = read.section("lora").only("rank", "alpha", "targets")
    targets = lora.table.get("targets")
    if (
        not isinstance(targets, list)
        or not targets
        or not all(isinstance(t, str) and re.fullmatch(r"[\w.]+", t) for t in targets)
    ):
        raise lora.wrong("targets", "a list of layer names")
    base = read.section("base").only("file", "sha256", "backbone")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.safetensors", base.text("file")):
        raise base.wrong("file", "a plain file name ending in .safetensors")
    if not re.fullmatch(r"[0-9a-f]{64}", base.text("sha256")):
        raise base.wrong("sha256", "64 hexadecimal digits")
    named = base.text("backbone") if "backbone" in base.table else ""
    if named and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", named):
        raise base.wrong("backbone", "the id of a backbone")
    return Architecture(
        name,
        dict(options.table),
        LoraSettings(lora.integer("rank", 1, 1024), lora.integer("alpha", 1, 65536), tuple(targets)),
        BaseWeights(base.text("file"), base.text("sha256"), named),
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, bool | int | float) or (isinstance(item, list) and _is_plain(item)) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
