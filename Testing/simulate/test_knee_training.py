"""Training a knee's segmenter and gate: stores, pictures and targets together, and one call that ends in a bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
from OsteoScreenLib.bones.gate import Gate, GateLimits
from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.simulate.knee import BONES, KINDS, PATH_NAMES, KneeView
from OsteoScreenLib.study.disturb import Framing
from OsteoScreenLib.study.gate_card import WORDS, gate_card
from OsteoScreenLib.study.gate_figures import gate_figures
from OsteoScreenLib.study.gate_images import Bank
from OsteoScreenLib.study.knee_gate_images import without_limbs
from OsteoScreenLib.study.knee_views import KneeStore, load_knees, render_knees, save_knees
from OsteoScreenLib.study.segmenter_figures import scores_on
from OsteoScreenLib.study.segmenter_images import plain_example, training_example
from OsteoScreenLib.study.segmenter_network_training import Schedule
from OsteoScreenLib.study.train_gate import GateOptions, Sampler
from OsteoScreenLib.study.train_segmenter import RECIPES, SegmenterOptions, train_segmenter

SIDE = 96
SHORT = Schedule(steps=4, batch=2, grid=64, save_every=2, device="cpu")
NOWHERE = Path("nowhere")


def drawn_knee(index: int) -> KneeView:
    """A right leg of blocks: femur above, tibia below, fibula outside, patella over the femur."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    middle = 48 + index
    masks = np.zeros((len(BONES), SIDE, SIDE), bool)
    masks[BONES.index("right femur")] = (np.abs(columns - middle) < 14) & (rows > 8) & (rows < 46)
    masks[BONES.index("right tibia")] = (np.abs(columns - middle) < 14) & (rows > 50) & (rows < 90)
    masks[BONES.index("right fibula")] = (np.abs(columns - middle + 20) < 4) & (rows > 56) & (rows < 90)
    masks[BONES.index("right patella")] = np.hypot(columns - middle, rows - 34) < 8
    paths = np.zeros((len(PATH_NAMES), SIDE, SIDE), np.float32)
    paths[0] = np.where(np.abs(columns - middle) < 34, 110, 0)
    for place, kind in enumerate(KINDS):
        bone = masks[BONES.index(f"right {kind}")]
        paths[1 + place][bone], paths[5 + place][bone] = 40, 34
    return KneeView(paths, masks)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    (tmp_path / "views-knee").mkdir()
    for index in range(4):
        save_knees(tmp_path / "views-knee" / f"knee-0-{SIDE}-{index:05d}.npz", drawn_knee(index))
    return tmp_path


def store_of(work: Path) -> KneeStore:
    return KneeStore(sorted((work / "views-knee").glob("*.npz")))


def test_a_view_comes_back_from_its_file_and_a_damaged_one_is_one_sentence(work: Path) -> None:
    path = work / "views-knee" / f"knee-0-{SIDE}-00001.npz"
    assert np.array_equal(load_knees(path).masks, drawn_knee(1).masks)
    assert np.allclose(load_knees(path).paths_mm, drawn_knee(1).paths_mm)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="delete it and run the same command again"):
        load_knees(path)


def test_sides_change_places_in_a_mirror(work: Path) -> None:
    """However the picture is bent and turned, left bones appear only where right ones were mirrored."""
    store, sides = store_of(work), set()
    right = [BONES.index(name) for name in BONES if name.startswith("right")]
    left = [BONES.index(KNEE.mirrored[BONES[place]]) for place in right]
    for number in range(24):
        image, targets = training_example(store, np.random.default_rng([3, number]), 64)
        assert image.shape == (64, 64) and targets.shape == (len(BONES), 32, 32)
        shown = (bool(targets[right].any()), bool(targets[left].any()))
        assert shown[0] != shown[1]
        sides.add(shown)
        # The fibula lies outside: on the viewer's left of a right tibia, on the right of a left one.
        fibula, tibia = (targets[(right if shown[0] else left)[KINDS.index(kind)]] > 127 for kind in ("fibula", "tibia"))
        if fibula.sum() > 10 and tibia.sum() > 10:
            apart = np.nonzero(fibula)[1].mean() - np.nonzero(tibia)[1].mean()
            assert apart * (-1 if shown[0] else 1) > 0
    assert len(sides) == 2


def test_bones_are_bright_and_air_is_black(work: Path) -> None:
    store = store_of(work)
    for index in range(len(store)):
        image, targets = plain_example(store, index, 64)
        bone = np.kron(targets.max(axis=0) > 200, np.ones((2, 2), bool))
        assert image[bone].mean() > image[~bone].mean() + 1.0
        assert image[:, :6].max() < -1.5


def test_figures_are_of_the_sites_own_bones(work: Path) -> None:
    class Truth(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.where(plain_example(store_of(work), 0, 64)[1] > 127, 5.0, -5.0).astype(np.float32))[None]

    store = KneeStore(sorted((work / "views-knee").glob("*.npz"))[:1])
    scores = scores_on(Truth(), store, 64)
    assert set(scores.by_structure()) == {"right femur", "right tibia", "right fibula", "right patella"}
    assert set(scores.by_group()) == set(KNEE.groups) and scores.by_group()["Femora"].value == 1.0
    assert (scores.swapped, scores.sided) == (0, 4)


def test_one_call_makes_a_knee_segmenter_without_any_ct(work: Path) -> None:
    options = SegmenterOptions(
        None, work / "no-skeleton.zip", work, views=3, held_out=1, view_size=SIDE, schedule=SHORT, site="knee"
    )
    bundle = train_segmenter(options)
    assert (bundle.id, bundle.kind, bundle.manifest["site"]) == ("knee-segmenter", "segmenter", "knee")
    assert bundle.manifest["structures"] == list(BONES) and set(bundle.manifest["trust"]) == set(KNEE.groups)
    assert (
        "--site knee" in bundle.manifest["training"]["command"] and "--thorax-ct" not in bundle.manifest["training"]["command"]
    )
    for phrase in ("Research use only", "simulated", "BodyParts3D", "patella"):
        assert phrase in bundle.card
    for phrase in ("LIDC", "rib", "thorax", "chest"):
        assert phrase not in bundle.card.lower()
    masks = EmbeddedSegmenter.from_bundle(bundle).segment(
        Radiograph(np.random.default_rng(0).random((90, 120), dtype=np.float32))
    )
    assert masks.site is KNEE and masks.shape == (90, 120)


def test_what_is_missing_or_does_not_fit_is_one_sentence(work: Path) -> None:
    knee = SegmenterOptions(None, work / "bones.zip", work, views=9, held_out=1, view_size=SIDE, schedule=SHORT, site="knee")
    for options, words in (
        (knee, "--skeleton"),
        (replace(knee, leave_out="skeleton"), "only one skeleton"),
        (replace(knee, site="elbow"), "No segmenter is made for 'elbow'"),
        (replace(knee, site="chest-frontal"), "--thorax-ct"),
    ):
        with pytest.raises(InputError, match=words):
            train_segmenter(options)
    with pytest.raises(InputError, match="--skeleton"):
        render_knees(work / "other", work / "bones.zip", range(2))
    with pytest.raises(InputError, match="No gate is made for 'elbow'"):
        GateOptions.for_site("elbow", NOWHERE, NOWHERE, NOWHERE, NOWHERE)
    assert set(RECIPES) == set(WORDS)


def knee_bank() -> Bank:
    rng = np.random.default_rng(0)
    images = tuple((255 * rng.random((40, 30))).astype(np.uint8) for _ in range(6))
    return Bank(images, ("knee", "knee", "chest drawn", "bone hip", "leg from the side", "limb"), "knee")


def test_a_bank_tells_what_its_gate_is_to_accept() -> None:
    bank = knee_bank()
    assert bank.only(True).kinds == ("knee", "knee") and "chest drawn" in bank.only(False).kinds
    assert without_limbs(bank).kinds == bank.kinds[:-1] and without_limbs(bank).wanted == "knee"
    assert bank.only(False).weights().sum() == pytest.approx(1)


def test_a_knee_gate_is_never_taught_a_side() -> None:
    options = replace(
        GateOptions.for_site("knee", NOWHERE, NOWHERE, NOWHERE, NOWHERE), batch=4, fresh=2, size=32, widths=(4, 8, 8), reduced=4
    )
    _, right, _, counts = next(Sampler(knee_bank(), options, np.random.default_rng(1)).batches())
    assert right.any() and not counts.any()


def test_a_gates_card_speaks_of_its_site() -> None:
    from OsteoScreenLib.bones.gate_network import GateNetwork

    torch.manual_seed(0)
    gate = Gate(GateNetwork(32, (4, 8, 8), 4), GateLimits(0.0, 0.5, 0.0), 32, site=KNEE)
    figures = gate_figures(gate, knee_bank(), Framing(), 0)
    assert (figures.wanted_seen, figures.wanted_accepted, figures.wrongly_accepted) == (2, 2, 4)
    card = gate_card(WORDS["knee"], 100, 32, 0, 3, figures, 1.0, GateLimits(0.5, 0.8, 0.0), "Seen by eye.")
    assert "2 of 2 frontal knees accepted" in card and "4 of 4 other images accepted" in card
    assert "on mirroring" not in card and "Seen by eye." in card and "dextrocardia" not in card
