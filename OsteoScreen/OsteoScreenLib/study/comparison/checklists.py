"""Two reporting checklists, item by item: where the comparison answers it, or that only the author can.

CLAIM: Tejani et al. 2024, Checklist for Artificial Intelligence in Medical Imaging, 2024 update, doi 10.1148/ryai.240300.
TRIPOD+AI: Collins et al. 2024, doi 10.1136/bmj-2023-078378.

Only numbers and short own words for what an item is about stand here; the wording that counts is in the two articles, and the
numbers should be checked against them before a paper is handed in. "Answered" means that the material lies in the folder, not that
a paper has said it.
"""

from __future__ import annotations

from dataclasses import dataclass

AUTHOR = "for the author to fill in"


@dataclass(frozen=True)
class Item:
    """One item. where : in the report or the run's folder; `AUTHOR` when the software cannot know. Names of sections as in the report."""

    number: str
    topic: str
    where: str = AUTHOR

    @property
    def answered(self) -> bool:
        """The folder holds material for it."""
        return self.where != AUTHOR


@dataclass(frozen=True)
class Checklist:
    """A checklist with its source."""

    name: str
    source: str
    items: tuple[Item, ...]

    @property
    def summary(self) -> str:
        """How many items the folder has material for."""
        return f"{self.name}: {sum(item.answered for item in self.items)} of {len(self.items)} items have material here."


_COHORT = "comparison.html, section Cohort; comparison.json, key cohort"
_TABLE = "comparison.html, section Table; comparison.csv"
_RUN = "seed-*/*/training/run.json"
_MODEL = "seed-*/*/training/bundle/card.md and manifest.json"
_EVALUATION = "seed-*/*/evaluation"
_BONES = "comparison.html, section Bones; seed-*/*/bones (where the site has masks)"
_RANKS = "comparison.html, section Ranking"
_LIMITS = "comparison.html, section What this cannot show"

CLAIM = Checklist(
    "CLAIM 2024",
    "Tejani et al. 2024, doi 10.1148/ryai.240300",
    (
        Item("1", "Title: says that it is AI, and of which kind"),
        Item("2", "Abstract"),
        Item("3", "Background, intended use and role in practice"),
        Item("4", "Aims and hypotheses"),
        Item("5", "Prospective or retrospective"),
        Item("6", "What kind of study it is"),
        Item("7", "Where the data come from"),
        Item("8", "Who was included and excluded, when and where"),
        Item("9", "Preprocessing of images", f"{_MODEL} (key preprocessing)"),
        Item("10", "Parts of images or data that were selected"),
        Item("11", "De-identification"),
        Item("12", "Missing values", f"{_EVALUATION}, subgroups (the images without the value are counted)"),
        Item("13", "How the images were acquired"),
        Item("14", "Reference standard: definition", f"{_COHORT} (classes from T-score by WHO's limits, or as labelled)"),
        Item("15", "Reference standard: why this one"),
        Item("16", "Reference standard: who or what set it"),
        Item("17", "Reference standard of the test data"),
        Item("18", "Agreement among raters or measurements"),
        Item("19", "How data were assigned to partitions", _COHORT),
        Item("20", "Level at which partitions are disjoint", f"{_COHORT} (by patient)"),
        Item("21", "Sample size and how it was set"),
        Item("22", "The models in detail", f"{_TABLE} (backbone, tuning); {_MODEL}"),
        Item("23", "Software and versions", f"comparison.json, key versions; {_RUN}"),
        Item("24", "Initial weights", f"{_TABLE} (note on weights); {_RUN}"),
        Item("25", "Training: augmentation, hyperparameters, length", f"{_RUN}; seed-*/*/training/log.jsonl and curves.png"),
        Item("26", "How the final model was picked", f"{_RUN} (epoch chosen on validation)"),
        Item("27", "Ensembles", "none: each row of the table is a single model"),
        Item("28", "Measures of performance", f"{_TABLE}; {_EVALUATION}"),
        Item("29", "Uncertainty and tests", f"{_TABLE} (intervals); {_EVALUATION} (DeLong)"),
        Item("30", "Robustness and sensitivity", f"{_RANKS} (other seeds)"),
        Item("31", "Explainability and how it was checked", f"{_BONES}; {_RANKS}"),
        Item("32", "Evaluation on internal data", f"{_TABLE} (test split of the same table)"),
        Item("33", "Testing on external data"),
        Item("34", "Registration"),
        Item("35", "Flow of patients and images", f"{_COHORT} (from the table on; what happened before is the author's)"),
        Item("36", "Demographic and clinical characteristics of each partition", _COHORT),
        Item("37", "Performance on every partition", f"{_TABLE} (test); {_EVALUATION}; seed-*/*/training/curves.csv"),
        Item("38", "Diagnostic performance with precision", _TABLE),
        Item("39", "Failures", f"{_EVALUATION} (failures with pictures)"),
        Item("40", "Limitations", f"{_LIMITS}; the author's own beside it"),
        Item("41", "Meaning for practice"),
        Item("42", "Full protocol and technical details", "comparison.json; the options in every run.json"),
        Item(
            "43",
            "Availability of software, models and data",
            "the bundles lie in seed-*/*/training/bundle; the rest is the author's",
        ),
        Item("44", "Funding and role of funders"),
    ),
)

TRIPOD_AI = Checklist(
    "TRIPOD+AI",
    "Collins et al. 2024, doi 10.1136/bmj-2023-078378",
    (
        Item("1", "Title"),
        Item("2", "Abstract"),
        Item("3a", "Medical context and why a model"),
        Item("3b", "Whom it is for, and who uses it"),
        Item("3c", "Known inequalities between groups"),
        Item("4", "Aims: development, evaluation or both"),
        Item("5a", "Where the data come from, and whether they represent the target"),
        Item("5b", "Dates"),
        Item("6a", "Setting and centres"),
        Item("6b", "Who was eligible"),
        Item("6c", "Treatments"),
        Item("7", "Preparation and checking of data", f"{_COHORT}; osteoscreen cohort"),
        Item("8a", "Outcome and how it was determined", f"{_COHORT} (WHO's limits); how T was measured is the author's"),
        Item("8b", "Who assessed a subjective outcome"),
        Item("8c", "Blinding of the outcome's assessment"),
        Item("9a", "Choice of predictors", "the radiograph alone; age and sex only in the baseline"),
        Item("9b", "Definition of predictors", f"{_MODEL} (input and preprocessing)"),
        Item("9c", "Who assessed subjective predictors", "none: no predictor is read by a person"),
        Item("10", "Sample size"),
        Item("11", "Missing data", f"{_EVALUATION}, subgroups (the images without the value are counted)"),
        Item("12a", "How data were used: splits", _COHORT),
        Item("12b", "Handling of predictors", f"{_MODEL} (preprocessing)"),
        Item("12c", "Type of model, steps, tuning, internal validation", f"{_RUN}; {_TABLE}"),
        Item("12d", "Differences between clusters", f"{_EVALUATION}, subgroups (device, view)"),
        Item(
            "12e", "Measures and plots of performance", f"{_TABLE}; {_EVALUATION} (discrimination, calibration, decision curve)"
        ),
        Item("12f", "Updating of the model", "none is done"),
        Item("12g", "How predictions are computed", f"{_MODEL} (temperature, operating points)"),
        Item("13", "Class imbalance", f"{_RUN} (weights or sampling)"),
        Item("14", "Fairness", f"{_EVALUATION}, subgroups (age, sex)"),
        Item("15", "Output of the model and thresholds", f"{_MODEL} (classes, operating points)"),
        Item("16", "Differences between training and evaluation data", _COHORT),
        Item("17", "Ethical approval"),
        Item("18a", "Funding"),
        Item("18b", "Conflicts of interest"),
        Item("18c", "Protocol"),
        Item("18d", "Registration"),
        Item("18e", "Sharing of data"),
        Item("18f", "Sharing of code", "OsteoScreen with the version in comparison.json; own code is the author's"),
        Item("19", "Patients and public involved"),
        Item("20a", "Flow of participants", f"{_COHORT} (from the table on)"),
        Item("20b", "Characteristics of participants", _COHORT),
        Item("20c", "Development against evaluation data", _COHORT),
        Item("21", "Participants and events in each analysis", f"{_COHORT}; {_TABLE} (images and positives)"),
        Item("22", "The full model, for others to use", "seed-*/*/training/bundle"),
        Item("23a", "Performance with intervals, subgroups included", f"{_TABLE}; {_EVALUATION}"),
        Item("23b", "Differences in performance between clusters", f"{_EVALUATION}, subgroups"),
        Item("24", "Results of updating", "none is done"),
        Item("25", "Interpretation"),
        Item("26", "Limitations", f"{_LIMITS}; the author's own beside it"),
        Item("27a", "Input that is poor or missing in use", f"{_MODEL} (input check, where the bundle has one)"),
        Item("27b", "What users must do and know"),
        Item("27c", "Next steps"),
    ),
)
CHECKLISTS = (CLAIM, TRIPOD_AI)
