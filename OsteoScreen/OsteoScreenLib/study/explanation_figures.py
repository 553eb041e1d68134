"""How often each explanation ranks the true bones first, with intervals, and what should therefore be the default.

Rate: over radiographs of networks that learned their truth, how often the truth's group has the highest score of all groups
(`truth_first` says what equal scores count). Only the ranking within a radiograph is asked, so scores need no common unit.
Saliency is drawn for osteoporosis, and on a normal radiograph nothing speaks for it: its rates are those of radiographs of
osteoporosis. A covered bone counts by the size of its effect, for or against: those rates are of all radiographs.
Intervals: 95 %, from drawing bodies with replacement (`patient_bootstrap`); radiographs of one body stay together, over all truths.
They tell how far other bodies would change the figure, not how far another training would; the truths' own rates show that.

A method whose map is the same for every class never becomes the default, however often it finds the truth (`Choice.set_aside`): it
draws what the features hold, not what speaks for a class. These networks read one structure, so here the two are nearly the same.

"Otherwise" is how often the same group comes first where another bone is the truth, on the same bodies: a method that always
points at the spine finds it when it is the truth, and otherwise, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from OsteoScreenLib.explain.covering import MODES
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS, default_among
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.explained_view import MEASURES, PERFECT, truth_first
from OsteoScreenLib.study.explanation_bench import Explained
from OsteoScreenLib.study.patient_bootstrap import MeanOfDefined, RankedScores, interval, interval_of, patient_draws
from OsteoScreenLib.study.truth_views import Truth

LEAST_TRUTHS = 2  # learned ones, before anything is chosen: what always points at one bone finds one truth
LEAST_AUC = 0.7  # a network whose interval does not reach it has not learned its truth and ranks nothing
_OSTEOPOROSIS = 2

Kind = Literal["saliency", "occlusion"]
KINDS: tuple[Kind, ...] = ("saliency", "occlusion")


@dataclass(frozen=True)
class NetworkFigures:
    """One network on bodies that it never saw: AUCs of osteoporosis against the rest.

    untouched; without : the truth's bones covered; alone : every other bone covered.
    """

    network: str
    truth: str
    steps: int
    bodies: int
    images: int
    untouched: Interval | None
    without: Interval | None
    alone: Interval | None

    @property
    def learned(self) -> bool:
        """Whether it tells the classes well enough for its explanations to count."""
        return self.untouched is not None and self.untouched.low >= LEAST_AUC

    @property
    def reads_only_the_truth(self) -> bool:
        """With the truth covered nothing above chance is left."""
        return self.without is not None and self.without.low <= 0.5


@dataclass(frozen=True)
class TruthRate:
    """first : rate for one truth. otherwise : rate of the same groups where other bones are the truth; None without such a network."""

    first: Interval | None
    otherwise: float | None


@dataclass(frozen=True)
class ExplanationRow:
    """One explanation of one kind of network, over all truths that its networks learned.

    kind, name, how : "saliency", method, measure of the overlap; or "occlusion", fill, mode, groups ranked by |Δ| in points.
    first : rate, over radiographs of osteoporosis for saliency and over all for occlusion; rank : mean over the same ones, 1 to 7;
    by_truth : truth → its own rate, likewise. first_all, first_osteoporosis : rate over all radiographs, and over those of
    osteoporosis. chance : rate of an explanation that knows nothing.
    """

    network: str
    kind: Kind
    name: str
    how: str
    first: Interval | None
    first_all: Interval | None
    first_osteoporosis: Interval | None
    rank: Interval | None
    chance: float
    by_truth: Mapping[str, TruthRate]

    @property
    def finds_the_truth(self) -> bool:
        """More often than chance, beyond the interval."""
        return self.first is not None and self.first.low > self.chance


@dataclass(frozen=True)
class Choice:
    """What should be the default of one kind of network. current : the row of today's default, at its best `how`; best : the best row.

    gain : best − current, paired over the same radiographs. The default changes only where the whole interval lies above zero.
    set_aside : the best row of a method whose map is the same for every class, where it has more than `best`; it is never chosen.
    """

    network: str
    kind: Kind
    current: ExplanationRow
    best: ExplanationRow
    gain: Interval | None
    set_aside: ExplanationRow | None = None

    @property
    def chosen(self) -> ExplanationRow:
        """The row to take."""
        return self.best if self.gain is not None and self.gain.low > 0 else self.current


@dataclass(frozen=True)
class BenchFigures:
    """The whole table. rows : of each network's kind the truth itself, saliency, occlusion. draws, seed : of the intervals."""

    networks: tuple[NetworkFigures, ...]
    rows: tuple[ExplanationRow, ...]
    choices: tuple[Choice, ...]
    draws: int
    seed: int


def bench_figures(explained: Sequence[Explained], draws: int = 2000, seed: int = 0) -> BenchFigures:
    """The figures of a finished run."""
    networks = tuple(_network(one, draws, seed) for one in explained)
    rows: list[ExplanationRow] = []
    choices: list[Choice] = []
    for name in dict.fromkeys(one.network for one in explained):
        learned = [one for one, told in zip(explained, networks, strict=True) if one.network == name and told.learned]
        if learned:
            ranked = _Ranked(learned, draws, seed)
            own = ranked.rows()
            rows += own
            if len({one.truth for one in learned}) >= LEAST_TRUTHS:
                choices += [ranked.choice(kind, own) for kind in KINDS]
    return BenchFigures(networks, tuple(rows), tuple(choices), draws, seed)


def _network(one: Explained, draws: int, seed: int) -> NetworkFigures:
    positive = np.array([row["label"] == _OSTEOPOROSIS for row in one.rows])
    bodies = [str(row["body"]) for row in one.rows]

    def auc(key: str) -> Interval | None:
        ranked = RankedScores(np.array([row[key] for row in one.rows]), positive)
        value = ranked.auc(np.ones((len(bodies), 1)))[0]
        return interval(float(value), np.concatenate([ranked.auc(counts) for counts in patient_draws(bodies, draws, seed)]))

    return NetworkFigures(
        one.network, one.truth.name, one.steps, len(set(bodies)), len(bodies), auc("untouched"), auc("without"), auc("alone")
    )


def _scores(row: Mapping[str, Any]) -> dict[tuple[Kind, str, str], Mapping[str, float | None]]:
    """(kind, name, how) → score of each group, of one radiograph."""
    scores: dict[tuple[Kind, str, str], Mapping[str, float | None]] = {}
    for method in sorted(row["maps"], key=lambda name: name != PERFECT):
        scores |= {("saliency", method, measure): row["maps"][method][measure] for measure in MEASURES}
    for fill, swept in row["sweeps"].items():
        for mode in MODES:
            reference = row["untouched"] if mode == "remove" else swept["covered"]
            scores["occlusion", fill, mode] = {group: abs(reference - p) for group, p in swept[mode].items()}
    return scores


def _asks_for_a_class(row: ExplanationRow) -> bool:
    """Whether another target would give other numbers: so it is for covered bones, and for most methods of saliency."""
    return row.kind == "occlusion" or SALIENCY_METHODS[row.name].class_specific


class _Ranked:
    """The radiographs of all networks of one kind, each explanation's ranking of each, and draws of bodies for all of them."""

    def __init__(self, explained: Sequence[Explained], draws: int, seed: int) -> None:
        self._network = explained[0].network
        self._truths = [one.truth for one in explained for _ in one.rows]
        held = [row for one in explained for row in one.rows]
        self._worst = np.array([row["label"] == _OSTEOPOROSIS for row in held])
        self._every = np.ones(len(held), bool)
        scored = [_scores(row) for row in held]
        self._keys = list(scored[0])
        # (explanations, radiographs, 3): first, rank, chance; NaN where the truth is not in the picture.
        self._told = np.array(
            [[truth_first(s[key], t) or (np.nan,) * 3 for s, t in zip(scored, self._truths, strict=True)] for key in self._keys]
        )
        self._scored = scored
        counts = [np.ones((len(held), 1)), *patient_draws([str(row["body"]) for row in held], draws, seed)]
        self._counts = np.concatenate(counts, axis=1)

    def rows(self) -> list[ExplanationRow]:
        """One row an explanation, in the order of `_scores`."""
        first, rank = self._told[:, :, 0], self._told[:, :, 1]
        truths = list(dict.fromkeys(self._truths))
        of = {truth: np.array([one == truth for one in self._truths]) for truth in truths}
        every, worst = self._means(first, self._every), self._means(first, self._worst)
        counted = np.stack([self._counted(kind) for kind, _, _ in self._keys])
        ranks = self._means(rank, counted)
        own = {truth: self._means(first, counted & of[truth]) for truth in truths}
        chance = float(np.nanmean(self._told[0, :, 2]))
        rows = []
        for i, (kind, name, how) in enumerate(self._keys):
            by_truth = {truth.name: TruthRate(interval_of(own[truth][i]), self._otherwise(i, truth)) for truth in truths}
            over_all, osteoporosis = interval_of(every[i]), interval_of(worst[i])
            rate = osteoporosis if kind == "saliency" else over_all
            row = ExplanationRow(
                self._network, kind, name, how, rate, over_all, osteoporosis, interval_of(ranks[i]), chance, by_truth
            )
            rows.append(row)
        return rows

    def choice(self, kind: Kind, rows: Sequence[ExplanationRow]) -> Choice:
        """Today's default against the best."""
        explanations = [i for i, row in enumerate(rows) if row.kind == kind and row.name != PERFECT]
        rivals = [i for i in explanations if _asks_for_a_class(rows[i])]
        blind = [i for i in explanations if not _asks_for_a_class(rows[i])]

        def rate(i: int) -> float:
            first = rows[i].first
            return -1.0 if first is None else first.value

        default = "mean" if kind == "occlusion" else default_among({rows[i].name for i in rivals})
        current, top = max((i for i in rivals if rows[i].name == default), key=rate), max(rivals, key=rate)
        aside = max(blind, key=rate, default=None)
        gained = self._told[[top], :, 0] - self._told[[current], :, 0]
        return Choice(
            self._network,
            kind,
            current=rows[current],
            best=rows[top],
            gain=interval_of(self._means(gained, self._counted(kind))[0]),
            set_aside=rows[aside] if aside is not None and rate(aside) > rate(top) else None,
        )

    def _counted(self, kind: Kind) -> np.ndarray:
        """Which radiographs the rate of an explanation is over, bool (radiographs,)."""
        return self._worst if kind == "saliency" else self._every

    def _means(self, values: np.ndarray, among: np.ndarray) -> np.ndarray:
        """(explanations, 1 + draws): of the radiographs as they are, then of the draws."""
        return MeanOfDefined(np.where(among, values, np.nan)).mean(self._counts)

    def _otherwise(self, i: int, truth: Truth) -> float | None:
        firsts = [
            told[0]
            for scores, other, counts in zip(self._scored, self._truths, self._counted(self._keys[i][0]), strict=True)
            if counts
            and not set(other.groups) & set(truth.groups)
            and (told := truth_first(scores[self._keys[i]], truth)) is not None
        ]
        return float(np.mean(firsts)) if firsts else None
