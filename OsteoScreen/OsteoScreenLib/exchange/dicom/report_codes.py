"""Coded concepts of the structured report: names of its numbers, texts and questions, and the answers to the questions.

Concepts that DICOM's own tables (PS3.16, as shipped with pydicom) or SNOMED CT have are theirs; the others are of the private scheme.
Values of Code Value have at most 16 characters, meanings at most 64 (PS3.5 6.2, VR SH and LO).
"""

from __future__ import annotations

from collections.abc import Mapping

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.exchange.dicom.codes import private

# Units (UCUM).
PERCENT = Code("%", "Percent", "UCUM")
NO_UNITS = Code("1", "no units", "UCUM")
PIXELS = Code("{pixels}", "pixels", "UCUM")
MILLIMETRES = Code("mm", "millimeter", "UCUM")
T_SCORE_UNIT = Code("{T-score}", "T-score", "UCUM")
LOG_ODDS_UNIT = Code("{log-odds}", "log-odds, natural logarithm", "UCUM")
IMAGES = Code("{images}", "images", "UCUM")

# Classes and targets: what an answer may be, and what probabilities and effects are about.
CLASSES: Mapping[str, Code] = {
    "normal": Code("17621005", "Normal"),
    "osteopenia": Code("312894000", "Osteopenia"),
    "osteoporosis": Code("64859006", "Osteoporosis"),
    "low bone mass": private("LOW-BONE-MASS", "Osteopenia or osteoporosis"),
}
PROBABILITIES: Mapping[str, Code] = {
    "normal": private("P-NORMAL", "Probability of normal bone"),
    "osteopenia": private("P-OSTEOPENIA", "Probability of osteopenia"),
    "osteoporosis": private("P-OSTEOPOROSIS", "Probability of osteoporosis"),
    "low bone mass": private("P-LOW-BONE-MASS", "Probability of osteopenia or osteoporosis"),
}

# Numbers.
T_SCORE = private("T-SCORE", "Expected T-score, regression on the image, no measurement")
DOMAIN_DISTANCE = private("DOMAIN-DISTANCE", "Distance from the model's training images")
DOMAIN_PERCENTILE = private("DOMAIN-PERCENT", "Training-like images that lie nearer")
THRESHOLD = Code("122411", "Threshold Value", "DCM")
SENSITIVITY = Code("111088", "Case Sensitivity", "DCM")
SPECIFICITY = Code("111090", "Case Specificity", "DCM")
POSITIVES = private("N-POSITIVE", "Images with the finding that sensitivity was measured on")
NEGATIVES = private("N-NEGATIVE", "Images without it that specificity was measured on")
DELTA_POINTS = private("DELTA-POINTS", "Change of the target's probability, percentage points")
DELTA_LOG_ODDS = private("DELTA-LOG-ODDS", "Change of the target's log-odds")
P_VARIANT = private("P-VARIANT", "Target's probability with these bones covered or alone")
P_REFERENCE = private("P-REFERENCE", "Target's probability in the reference image")
COVERED_AREA = private("AREA", "Covered pixels")
MARGIN_PX = private("MARGIN-PX", "Margin around covered bones in pixels")
MARGIN_MM = private("MARGIN-MM", "Margin around covered bones in millimetres")
PERCENTILE = private("PERCENTILE", "Percentile among controls that cover as much elsewhere")
P_VALUE = private("P-VALUE", "One-sided p against the controls")
CONTROLS = private("CONTROLS", "Controls")
SEED = private("SEED", "Seed of the fill")
CONFIDENCE = private("CONFIDENCE", "Reader's confidence that the patient has the target class")
VERDICT_NUMBER = private("VERDICT-NUMBER", "Number that the verdict rests on")
VERDICT_RULE = private("VERDICT-RULE", "Limit that the verdict was judged by")

# Questions whose answers are codes.
DECISION = private("DECISION", "Class at the operating points")
TARGET = private("TARGET", "Class that probabilities of variants and effects are about")
INPUT_CHECK = private("INPUT-CHECK", "Does the image resemble the model's training images?")
MODE = private("MODE", "What covering a bone means")
FILL = private("FILL", "What covered pixels are replaced with")
EFFECT_OF = private("EFFECT-OF", "What the effect is about")
VERDICT = private("VERDICT", "Does the answer come from bone?")
VERDICT_ABOUT = private("VERDICT-ABOUT", "What the verdict is about")
SEVERITY = private("SEVERITY", "Severity of the remark")
SIMULATED = private("SIMULATED", "Was the model trained on simulated images only?")
READING = private("READING", "Reading of the radiograph")
READER_DECISION = private("READER-DECISION", "Class by the reader")
READER_QUALITY = private("READER-QUALITY", "Image quality by the reader")

YES, NO = Code("373066001", "Yes"), Code("373067005", "No")
LEVELS: Mapping[str, Code] = {
    "in": private("INPUT-IN", "Resembles the training images"),
    "borderline": private("INPUT-EDGE", "At the edge of the training images"),
    "out": private("INPUT-OUT", "Unlike the training images"),
}
MODES: Mapping[str, Code] = {
    "remove": private("REMOVE", "Chosen bones covered, against the untouched image"),
    "add-back": private("ADD-BACK", "Chosen bones shown alone, against all bones covered"),
}
FILLS: Mapping[str, Code] = {
    "mean": private("FILL-MEAN", "Mean grey of what is not bone"),
    "blur": private("FILL-BLUR", "Strong blur"),
    "inpaint": private("FILL-INPAINT", "Inpainting from the surroundings"),
    "noise": private("FILL-NOISE", "Noise"),
    "black": private("FILL-BLACK", "Black"),
    "linear": private("FILL-LINEAR", "Noisy linear imputation from the surroundings"),
    "tokens": private("FILL-TOKENS", "Patches left out of what the model sees"),
}
SUBJECTS: Mapping[str, Code] = {
    "set": private("OF-SET", "All chosen bones together"),
    "group": private("OF-GROUP", "The chosen bones of one group"),
    "bone": private("OF-BONE", "One bone"),
}
VERDICTS: Mapping[str, Code] = {
    "looks at bone": private("LOOKS-AT-BONE", "The model looks at bone"),
    "does not": private("NOT-AT-BONE", "The model does not look at bone"),
    "cannot tell": private("CANNOT-TELL", "Cannot tell"),
}
ABOUT: Mapping[str, Code] = {
    "image": private("ABOUT-IMAGE", "This image"),
    "cohort": private("ABOUT-COHORT", "A cohort of images"),
}
SEVERITIES: Mapping[str, Code] = {"info": private("INFO", "Information"), "warning": private("WARNING", "Warning")}
READINGS: Mapping[str, Code] = {
    "first": private("READ-FIRST", "First reading"),
    "second": private("READ-SECOND", "Second reading, the model's answer seen"),
}
QUALITIES: Mapping[str, Code] = {
    "good": private("QUALITY-GOOD", "Good"),
    "limited": private("QUALITY-LIMITED", "Limited"),
    "not readable": private("QUALITY-NONE", "Not readable"),
}
POINTS: Mapping[str, Code] = {name: CLASSES[name] for name in ("osteoporosis", "low bone mass")}

# A modifier: in which mode a number of the table was computed.
METHOD = Code("370129005", "Measurement Method")

# Texts.
COMMENT = Code("121106", "Comment", "DCM")
STATEMENT = private("STATEMENT", "Statement that stands beside the answer")
REMARK = private("REMARK", "Remark on the image or the analysis")
REMARK_CODE = private("REMARK-CODE", "Code of the remark")
SUBJECT_NAME = private("NAME", "Bone or group of bones")
BONE = private("BONE", "Bone that the effect is about")
COVERED_BONE = private("COVERED-BONE", "Bone that was covered or shown alone")
NOT_FOUND = private("NOT-FOUND", "Chosen bone without a mask")
VERDICT_SENTENCE = private("VERDICT-WORDS", "The verdict in words")
VERDICT_WORD = private("VERDICT-WORD", "Word that the verdict rests on")
VERDICT_UNKNOWN = private("VERDICT-UNKNOWN", "Number of the verdict that was not measured")
NUMBER_NAME = private("NUMBER-NAME", "Name of the number")
MEASURED_ON = private("MEASURED-ON", "What sensitivity and specificity were measured on")
MODEL_TITLE = private("MODEL-TITLE", "Title of the model")
MODEL_SITE = private("MODEL-SITE", "Body site that the model reads")
WEIGHTS_SHA256 = private("WEIGHTS-SHA256", "SHA-256 of the model's weights")
BUNDLE_SHA256 = private("BUNDLE-SHA256", "SHA-256 of the model's manifest")
FILE_SHA256 = private("FILE-SHA256", "SHA-256 of the radiograph's file")
VIEW = private("VIEW", "View as the radiograph's header names it")
BODY_PART = private("BODY-PART", "Body part as the radiograph's header names it")
STARTED = private("STARTED", "Start of the analysis, UTC")
DEVICE = private("DEVICE", "Processor that computed the answer")
PRECISION = private("PRECISION", "Numeric precision of the model")
FINDING = private("READER-FINDING", "Finding that the reader ticked")
CHANGED = private("CHANGED-BECAUSE", "Why the second reading differs from the first")
LOCKED_AT = private("LOCKED-AT", "When the reading was locked, UTC")

# Groups of the report.
GROUP_PREDICTION = private("PREDICTION", "Answer on the untouched radiograph")
GROUP_POINT = private("POINT", "Operating point")
GROUP_INPUT = private("INPUT", "Input check")
GROUP_COVERING = private("COVERING", "Answer with the chosen bones covered or shown alone")
GROUP_EFFECT = private("EFFECT", "What bones are worth to the answer")
GROUP_TABLE = private("TABLE", "Table of what every bone by itself is worth to the answer")
GROUP_ROW = private("TABLE-ROW", "What bones by themselves are worth to the answer")
GROUP_VERDICT = private("VERDICT-GROUP", "Whether the answer comes from bone")
GROUP_READER = private("READER", "Reader's opinion")


def private_concepts() -> tuple[Code, ...]:
    """Every concept of the private scheme that a report may hold, in this file's order: the conformance statement's table."""
    from OsteoScreenLib.exchange.dicom.codes import PRIVATE_SCHEME

    found: dict[str, Code] = {}
    for value in list(globals().values()):
        for code in value.values() if isinstance(value, dict) else (value,):
            if isinstance(code, Code) and code.scheme == PRIVATE_SCHEME:
                found.setdefault(code.value, code)
    return tuple(found.values())
