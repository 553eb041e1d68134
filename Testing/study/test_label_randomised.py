"""Label randomisation: unlike maps are told from like ones, a wrong pair is refused, and labels by lot know nothing of density."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import GREY, make_classifier, make_classifier_bundle, make_network, make_radiograph
from explain.looking import looking_transformer
from study.test_embedded_training import NOWHERE, bodies

from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study import train_classifier
from OsteoScreenLib.study.label_randomised import check_pair, compare_labels, train_label_randomised
from OsteoScreenLib.study.train_classifier import ClassifierOptions, fit, labels_by_lot

IMAGES = [make_radiograph((112, 112), seed).pixels for seed in range(4)]


def looking(folder: Path, cell: tuple[int, int], shift: float = 0.0) -> Classifier:
    """A model that reads one patch. shift : of its bias, which no map knows of."""
    network: Any
    network, options = looking_transformer("class token", GREY, cell)
    with torch.no_grad():
        network.head.bias[0] += shift
    return make_classifier(folder, options=options, network=network)


def test_maps_of_a_model_that_looks_elsewhere_are_unlike_and_of_its_twin_alike(tmp_path: Path) -> None:
    own, other, twin = (
        looking(tmp_path / name, cell, shift)
        for name, cell, shift in (("own", (3, 3), 0.0), ("other", (5, 1), 0.0), ("twin", (3, 3), 0.01))
    )
    told: list[float] = []
    (found,) = compare_labels(own, other, IMAGES, "osteoporosis", ("grad-cam",), told.append)
    assert found.sensitivity == "sensitive" and len(found.similarities) == len(IMAGES), found.sentence
    assert "trained on shuffled labels" in found.sentence and told == [0.25, 0.5, 0.75, 1.0]
    (same,) = compare_labels(own, twin, IMAGES, "osteoporosis", ("grad-cam",))
    assert same.sensitivity == "insensitive" and same.found is not None and same.found.mean > 0.99
    (single,) = compare_labels(own, twin, IMAGES[:1], "osteoporosis", ("grad-cam",))
    assert single.sensitivity == "cannot tell" and single.found is None


def test_a_wrong_pair_is_refused_in_one_sentence(tmp_path: Path) -> None:
    own = looking(tmp_path / "own", (3, 3))
    with pytest.raises(InputError, match="the very weights of own") as caught:
        check_pair(own, looking(tmp_path / "copy", (3, 3)))
    assert caught.value.code == "random-labels"
    finer = replace(GREY, rows=64, columns=64)
    for other in (make_classifier(tmp_path / "conv", "resnet10t"), make_classifier(tmp_path / "finer", preprocessing=finer)):
        with pytest.raises(InputError, match="differ in network or input"):
            compare_labels(own, other, IMAGES, "osteoporosis", ("grad-cam",))


@dataclass(frozen=True)
class Recipe:
    out: Path
    shuffled_labels: bool = False


def test_a_recipe_with_the_switch_is_trained_on_shuffled_labels(tmp_path: Path) -> None:
    def train(recipe: Recipe) -> Bundle:
        return make_classifier_bundle(recipe.out, network=make_network(seed=int(recipe.shuffled_labels)))

    plain = train(Recipe(tmp_path / "plain"))
    shuffled = train_label_randomised(train, Recipe(tmp_path / "plain"), out=tmp_path / "shuffled")
    assert shuffled.folder.name == "shuffled" and shuffled.weights_sha256 != plain.weights_sha256


def test_each_body_keeps_its_label_whatever_its_density(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    ranked: list[int] = []
    cross_entropy, ordered = train_classifier.nn.functional.cross_entropy, train_classifier.ordered

    def noted(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.extend(labels.view(-1, 3).tolist())
        return cross_entropy(logits, labels)

    def rank(logits: torch.Tensor) -> torch.Tensor:
        ranked.append(1)
        return ordered(logits)

    monkeypatch.setattr(train_classifier.nn.functional, "cross_entropy", noted)
    monkeypatch.setattr(train_classifier, "ordered", rank)
    plain = ClassifierOptions(
        NOWHERE, NOWHERE, NOWHERE, NOWHERE, size=64, steps=3, batch=3,
        network_options={"channels": [4, 4, 8, 8], "stem_width": 4},
    )  # fmt: skip
    fit(bodies(5), plain)
    assert all(triple == [0, 1, 2] for triple in seen) and len(seen) == 9 and ranked == [1, 1, 1]
    seen.clear()
    fit(bodies(5), replace(plain, shuffled_labels=True))
    assert all(len(set(triple)) == 1 for triple in seen) and len(seen) == 9 and ranked == [1, 1, 1]
    assert {triple[0] for triple in seen} <= set(labels_by_lot(5, 0).tolist()) and len({triple[0] for triple in seen}) > 1


def test_labels_by_lot_are_even_seeded_and_of_no_order() -> None:
    lots = labels_by_lot(196, 0)
    assert np.bincount(lots).tolist() == [66, 65, 65] and (lots == labels_by_lot(196, 0)).all()
    assert (lots != labels_by_lot(196, 1)).any()
    assert abs(np.corrcoef(lots, np.arange(196))[0, 1]) < 0.25
