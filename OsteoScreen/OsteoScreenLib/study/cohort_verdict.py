"""The verdict on a cohort: does the model's ability come from bone? From the differences in AUC, with their intervals.

What every bone together is worth decides: the AUC that is lost when all of them are covered. A group of bones must then show that
bone is enough, by bringing some of it back when it alone is shown (Δ_bone of Kim et al. 2025, doi 10.1007/s00198-025-07727-3).
The heatmaps, where they were measured, can withhold "looks at bone" and never make it; see `explain.verdict`.
"""

from __future__ import annotations

from types import MappingProxyType

from OsteoScreenLib.explain.verdict import MAP_BY_CHANCE, Kind, Verdict
from OsteoScreenLib.study.bone_effects_summary import CHANCE, CohortEffects
from OsteoScreenLib.study.classifier_figures import Interval

# "Looks at bone" takes more than half of the AUC above chance: else most of the ability is still there without bone.
MOSTLY = 0.5
# AUC. A loss that is surely smaller than this is none that matters: the study's own best models (.89 to .93) differ by as much.
NO_LOSS = 0.05
# Fewer clusters make a bootstrap's intervals too narrow (Cameron, Gelbach and Miller 2008, doi 10.1162/rest.90.3.414).
FEWEST_PATIENTS = 30
RULES = MappingProxyType(
    {"mostly": MOSTLY, "no_loss": NO_LOSS, "fewest_patients": float(FEWEST_PATIENTS), "map_by_chance": MAP_BY_CHANCE}
)


def verdict_on_cohort(effects: CohortEffects) -> Verdict:
    """The verdict, in this order.

    "Cannot tell" with fewer than `FEWEST_PATIENTS` patients, or when the interval of the untouched AUC holds 0.5 (the model has no
    ability that could come from anywhere). "Does not" when the whole interval of the loss with every bone covered lies below
    `NO_LOSS`. "Looks at bone" when that interval lies above 0, the loss is more than `MOSTLY` of the AUC above chance, a group of
    bones shown alone has an interval above 0, and the heatmap, where there is one, is richer than chance on that group. Else
    "cannot tell".
    """
    loss = next((row.delta for row in effects.rows if row.of == "all"), None)
    groups = [row for row in effects.rows if row.of == "group" and row.delta is not None]
    best = max(groups, key=lambda row: row.delta.low if row.delta is not None else 0.0, default=None)
    alone = best.delta if best is not None else None
    enrichment = best.overlap.get("enrichment") if best is not None else None
    untouched, covered = effects.untouched, effects.no_bone
    share = None
    if untouched is not None and loss is not None and untouched.value > CHANCE:
        share = loss.value / (untouched.value - CHANCE)
    numbers: dict[str, float | str | None] = {
        "patients": effects.patients,
        "images": effects.images,
        **_named("auc_untouched", untouched),
        **_named("auc_no_bone", covered),
        **_named("loss_all_bones", loss),
        "share_of_ability": share,
        "group": best.name if best is not None else None,
        **_named("delta_alone", alone),
        **_named("map_enrichment", enrichment),
    }

    def say(kind: Kind, reason: str) -> Verdict:
        opening = {"looks at bone": "Looks at bone", "does not": "Does not look at bone", "cannot tell": "Cannot tell"}[kind]
        return Verdict(kind, f"{opening}: {reason}.", numbers, dict(RULES), "cohort")

    if untouched is None or loss is None or best is None or alone is None or share is None:
        if untouched is not None and untouched.value <= CHANCE:
            return say("cannot tell", f"the model does not tell the classes apart (AUC {untouched})")
        return say("cannot tell", "the AUC is not defined, or no bone was found")
    if effects.patients < FEWEST_PATIENTS:
        return say(
            "cannot tell", f"{effects.patients} patients are too few for intervals; at least {FEWEST_PATIENTS} are needed"
        )
    if not untouched.excludes_chance:
        return say("cannot tell", f"the model does not tell the classes apart for certain (AUC {untouched}, chance {CHANCE:g})")
    told = f"covering every bone takes {loss} of AUC from {untouched}"
    if loss.high < NO_LOSS:
        return say("does not", f"{told}, which is less than {NO_LOSS:g}")
    if loss.low <= 0:
        return say("cannot tell", f"{told}, and that interval holds 0")
    if share <= MOSTLY:
        return say(
            "cannot tell", f"{told}, but that is only {100 * share:.0f} % of what it has above chance; the rest is elsewhere"
        )
    if alone.low <= 0:
        return say("cannot tell", f"{told}, but no group of bones alone surely brings any of it back ({best.name}: {alone})")
    back = f"{told}, and {best.name} alone brings {alone} back"
    if enrichment is not None and enrichment.low <= MAP_BY_CHANCE:
        return say("cannot tell", f"{back}, but the heatmaps are not surely richer there than by chance ({enrichment} times)")
    heat = "" if enrichment is None else f"; the heatmaps are {enrichment} times as rich there as by chance"
    return say("looks at bone", back + heat)


def _named(name: str, one: Interval | None) -> dict[str, float | None]:
    if one is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
