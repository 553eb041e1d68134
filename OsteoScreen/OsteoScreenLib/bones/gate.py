"""The gate: what an image itself says about being a radiograph of a body site, its way up and its polarity, against its tags.

Every site has a gate of its own, whose network only knows "upright, bone-bright" pictures of that site. It sees all 16 ways to lay the image in one batch, always in
the same order, and the best one is the answer: so turned, mirrored and inverted copies of an image get the same decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site, site_named
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.radiograph.radiograph import Note, Placement, Radiograph

if TYPE_CHECKING:
    from OsteoScreenLib.bones.gate_network import GateNetwork
    from OsteoScreenLib.bundle import Bundle

_SIDE_VIEWS = frozenset({"LATERAL", "LL", "RL", "LLD", "RLD", "LLO", "RLO"})
_TURNS = {1: "turned by 90° counter-clockwise", 2: "turned by 180°", 3: "turned by 90° clockwise"}


@dataclass(frozen=True)
class GateReport:
    """What the image says about itself.

    accepted : the probability reaches the bundle's threshold.
    probability : that this is a radiograph of the site, whichever way it lies, 0 to 1.
    correction : makes the radiograph, as it was given, upright and bone-bright; never mirrors.
    mirrored_suspected : the heart seems to lie on the patient's right once upright (a swapped film, or dextrocardia);
        never where a site looks the same in a mirror.
    confidence : in the whole answer, 0 to 1: in the site and in the placement, or in "something else".
    uncertain : the confidence is below the bundle's limit, so a person should look.
    site : what the gate looks for.
    """

    accepted: bool
    probability: float
    correction: Placement
    mirrored_suspected: bool
    confidence: float
    uncertain: bool
    site: Site = CHEST_FRONTAL


@dataclass(frozen=True)
class GateLimits:
    """Operating limits fixed on held-out simulated images and stored in the bundle's manifest.

    probability : accepted from here. confidence : "uncertain" below. mirrored : suspected below this probability;
    0 where a site looks the same in a mirror.
    """

    probability: float
    confidence: float
    mirrored: float


class Gate:
    """Answers from the pixels: a radiograph of `site` or not, which way up, which polarity."""

    def __init__(
        self,
        network: GateNetwork,
        limits: GateLimits,
        size: int,
        temperature: float = 1.0,
        device: str = "cpu",
        site: Site = CHEST_FRONTAL,
    ) -> None:
        self.site = site
        self._network = network.to(device).eval()
        self._limits = limits
        self._size = size
        self._temperature = temperature
        self._device = device

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu") -> Gate:
        """Build the gate of a verified bundle of kind "gate".

        Raises OsteoScreenError when the weights or the manifest do not describe this network.
        """
        from OsteoScreenLib.bones.gate_network import GateNetwork

        try:
            kwargs = bundle.manifest["architecture"]["kwargs"]
            network = GateNetwork(
                size=int(kwargs["size"]), widths=tuple(int(w) for w in kwargs["widths"]), reduced=int(kwargs["reduced"])
            )
            network.load_state_dict({name: tensor.float() for name, tensor in bundle.tensors().items()})
            limits = GateLimits(**{name: float(value) for name, value in bundle.manifest["limits"].items()})
            temperature = float(bundle.manifest["temperature"])
            site = site_named(str(bundle.manifest["site"]))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise OsteoScreenError(
                f"The model bundle '{bundle.id}' does not hold a gate that this version can read; install OsteoScreen again."
            ) from error
        return cls(network, limits, int(kwargs["size"]), temperature, device, site)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Logits (turns 4, polarity 2, [as it is, its mirror image], [upright picture of the site, not mirrored]).

        pixels : float32 (rows, columns) in [0, 1].
        """
        import torch

        from OsteoScreenLib.bones.gate_network import candidates, canvas

        laid = candidates(canvas(pixels, self._size))
        # The batch is put into an order that depends only on its content: every copy of an image makes the very same batch.
        order = sorted(range(len(laid)), key=lambda index: laid[index].tobytes())
        with torch.inference_mode():
            answers = self._network(torch.from_numpy(laid[order]).to(self._device)).float().cpu().numpy()
        unsorted = np.empty((len(laid), 2), np.float64)
        unsorted[order] = answers
        by_turn = unsorted.reshape(2, 2, 4, 2).transpose(2, 0, 1, 3)
        # The mirror image of "turned by k" is "mirrored, then turned by -k": put the two side by side.
        return np.stack([by_turn[:, :, 0], by_turn[[0, 3, 2, 1], :, 1]], axis=2)

    def inspect(self, radiograph: Radiograph) -> GateReport:
        """Look at the radiograph as it lies now. Takes about 0.1 s on one CPU thread."""
        answers = self.logits(radiograph.pixels)
        # A mirrored chest is as much a chest: both mirror images vote on site, way up and polarity.
        likely = answers[..., 0].mean(axis=2) / self._temperature
        turns, inverted = (int(index) for index in np.unravel_index(int(likely.argmax()), likely.shape))
        probability = float(1 / (1 + np.exp(-likely[turns, inverted])))
        # Summed in order of size, so that the sum does not depend on how the image was given.
        placement_share = float(1 / np.exp(np.sort(likely, axis=None) - likely[turns, inverted]).sum())
        facing = answers[turns, inverted, :, 1]
        unmirrored = float(1 / (1 + np.exp((facing[1] - facing[0]) / 2)))
        accepted = probability >= self._limits.probability
        confidence = probability * placement_share if accepted else 1 - probability
        return GateReport(
            accepted=accepted,
            probability=probability,
            correction=Placement(False, turns, bool(inverted)) if accepted else Placement(),
            mirrored_suspected=accepted and unmirrored < self._limits.mirrored,
            confidence=confidence,
            uncertain=confidence < self._limits.confidence,
            site=self.site,
        )


def apply_gate(
    radiograph: Radiograph, report: GateReport, *, keep_orientation: bool = False, keep_polarity: bool = False
) -> Radiograph:
    """Lay the radiograph as the image says, with one Note per disagreement between the image and its tags.

    keep_orientation, keep_polarity : the reader chose these; nothing is changed there, and the Note says that they disagree.
    """
    site = report.site
    notes = _tag_notes(radiograph, site) if report.accepted else []
    turns, inverted = report.correction.quarter_turns, report.correction.inverted
    if report.accepted and turns:
        claim = "As the file describes it, this image would not be upright"
        if keep_orientation:
            text = f"{claim} (it would have to be {_TURNS[turns]}), but the orientation was kept as chosen."
            notes.append(Note("orientation-disagrees", "warning", text))
        else:
            text = f"{claim}; the image shows the {site.image} lying otherwise and was {_TURNS[turns]}."
            notes.append(Note("orientation-corrected", "warning", text))
    if report.accepted and inverted:
        tag = radiograph.source.photometric_interpretation
        claim = f"Read by its tag {tag}, this image shows dark bones" if tag else "As stored, this image shows dark bones"
        if keep_polarity:
            notes.append(Note("polarity-disagrees", "warning", f"{claim}; the grey values were kept as chosen."))
        else:
            notes.append(
                Note("polarity-corrected", "warning", f"{claim}; its grey values were inverted so that bones are bright.")
            )
    if report.mirrored_suspected:
        text = (
            "The heart seems to lie on the patient's right: the image may be mirrored, or the patient has dextrocardia; "
            "it was not mirrored, check the side marker and use --flip if needed."
        )
        notes.append(Note("mirror-suspected", "warning", text))
    if report.uncertain:
        what = f"{site.image}, its way up and its polarity" if report.accepted else f"anything but a {site.image}"
        text = f"The image check is not sure of its answer ({what}; confidence {report.confidence:.0%}): look at the image yourself."
        notes.append(Note("gate-uncertain", "warning", text))
    turn, invert = (0 if keep_orientation else turns), (inverted and not keep_polarity)
    if report.accepted and (turn or invert):
        radiograph = radiograph.turned(quarter_turns=turn, inverted=invert)
    return radiograph.with_notes(*notes)


def require_accepted(radiograph: Radiograph, report: GateReport) -> None:
    """Let a radiograph of the gate's site pass, whatever its tags say (`apply_gate` notes what disagrees); refuse anything else.

    Raises
    ------
    InputError
        Code "not-frontal-chest", or likewise for the site; the sentence also says when the tags claim the site or name what it is.
    """
    if report.accepted:
        return
    site, tagged = report.site, radiograph.site.strip().upper()
    if not tagged:
        reason = "its tags name no body part"
    elif _names_other(tagged, site):
        reason = f"its tags name the body part {tagged}"
    else:
        reason = f"although its tags name the body part {tagged}"
    raise InputError(
        f"This image does not look like a {site.image} radiograph ({report.probability:.0%} likely to be one), {reason}; "
        f"this model reads {site.image}s only, so choose another image.",
        code=f"not-{site.image.replace(' ', '-')}",
    )


def lay_upright(
    radiograph: Radiograph, gate: Gate | None, site: Site, *, keep_orientation: bool = False, keep_polarity: bool = False
) -> Radiograph:
    """Ask the site's gate, refuse what it does not accept, and lay the rest as the image says; see `apply_gate`.

    gate : None where there is none for the site; then nothing is checked, and a Note says so.
    Raises `InputError` as `require_accepted` does.
    """
    if gate is None:
        text = f"Nothing checked whether this is an upright, bone-bright {site.image}; look at the image yourself."
        return radiograph.with_notes(Note("image-unchecked", "warning", text))
    report = gate.inspect(radiograph)
    require_accepted(radiograph, report)
    return apply_gate(radiograph, report, keep_orientation=keep_orientation, keep_polarity=keep_polarity)


def _names_other(tagged: str, site: Site) -> bool:
    return bool(tagged.strip()) and not any(word in tagged.upper() for word in site.tag_words)


def _tag_notes(radiograph: Radiograph, site: Site) -> list[Note]:
    """What the tags of an accepted image claim wrongly about body part and view."""
    notes = []
    if _names_other(radiograph.site, site):
        text = f"The tags name the body part {radiograph.site}, but the image shows a {site.image} and is read as one."
        notes.append(Note("site-disagrees", "warning", text))
    if radiograph.view.upper() in _SIDE_VIEWS:
        text = f"The tags name the view {radiograph.view}, but the image shows a {site.image} and is read as one."
        notes.append(Note("view-disagrees", "warning", text))
    return notes
