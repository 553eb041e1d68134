"""A structured report of OsteoScreen → `PriorResult`: everything that `structured_report` wrote, the numbers to their precision.

Precision: a number is read from Floating Point Value, the double that was written. Shares were written in per cent, which moves them
by at most two units of their last place. A report whose Floating Point Values an archive dropped is read from Numeric Value,
six significant digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.classifier.prediction import Prediction
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.read_groups import (
    covering_of,
    domain_of,
    note_of,
    opinion_of,
    points_of,
    shares_of,
    table_of,
    verdict_of,
)
from OsteoScreenLib.exchange.dicom.report_tree import Node, key, tree_of
from OsteoScreenLib.exchange.prior_result import AboutImage, PriorResult
from OsteoScreenLib.explain.analysis import ModelFacts
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.limits import printable

_COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
_LARGEST = 32 * 1024 * 1024
_MEASUREMENTS, _GROUP = Code("126010", "Imaging Measurements", "DCM"), Code("125007", "Measurement Group", "DCM")
_WORDS = Code("C0034375", "Qualitative Evaluations", "UMLS")
_FINDING = Code("121071", "Finding", "DCM")
_MODEL_NAME, _SERIAL = (
    Code("121015", "Device Observer Model Name", "DCM"),
    Code("121016", "Device Observer Serial Number", "DCM"),
)


def read_report(path: Path) -> PriorResult:
    """The result that a structured report of OsteoScreen tells.

    Raises
    ------
    InputError
        One sentence (code "report"): no DICOM file, no structured report, one of another program, or a damaged one.
    """
    from pydicom.config import disable_value_validation

    from OsteoScreenLib.radiograph.dicom import parse_dicom
    from OsteoScreenLib.radiograph.quiet import quiet
    from OsteoScreenLib.radiograph.read import bytes_of
    from OsteoScreenLib.radiograph.sniff import kind_of

    name = printable(path.name)
    data = bytes_of(path)
    if kind_of(data) != "dicom" or len(data) > _LARGEST:
        raise InputError(f"{name} is no structured report; name the sr.dcm of an analysis.", "report")
    dataset = parse_dicom(data, name)
    with quiet(), disable_value_validation():
        if header.text(dataset, "SOPClassUID") != _COMPREHENSIVE_SR:
            raise InputError(f"{name} is a DICOM file, but no structured report; name the sr.dcm of an analysis.", "report")
        root = tree_of(dataset)
        groups = _groups(root)
        if key(terms.GROUP_PREDICTION) not in groups:
            raise InputError(f"{name} is a structured report of another program; only OsteoScreen's own can be read.", "report")
        try:
            return _result(root, groups, _image(dataset))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError, InputError) as error:
            raise InputError(
                f"{name} is a report of OsteoScreen that is damaged, or of a later version; get it again or update.", "report"
            ) from error


def _groups(root: Node) -> dict[tuple[str, str], list[Node]]:
    """The measurement groups by what they are about."""
    found: dict[tuple[str, str], list[Node]] = {}
    for container in root.all(_MEASUREMENTS):
        for group in container.all(_GROUP):
            finding = group.find(_FINDING)
            if finding is not None:
                found.setdefault(finding.value, []).append(group)
    return found


def _image(dataset: Any) -> dict[str, str]:
    """UIDs of the image that the report is about: the evidence that is no segmentation."""
    for study in header.items(dataset, "CurrentRequestedProcedureEvidenceSequence"):
        for series in header.items(study, "ReferencedSeriesSequence"):
            for instance in header.items(series, "ReferencedSOPSequence"):
                if header.text(instance, "ReferencedSOPClassUID") != "1.2.840.10008.5.1.4.1.1.66.4":
                    return {
                        "study_instance_uid": header.text(study, "StudyInstanceUID"),
                        "series_instance_uid": header.text(series, "SeriesInstanceUID"),
                        "sop_instance_uid": header.text(instance, "ReferencedSOPInstanceUID"),
                    }
    return {}


def _result(root: Node, groups: Mapping[tuple[str, str], list[Node]], uids: dict[str, str]) -> PriorResult:
    (answer,) = groups[key(terms.GROUP_PREDICTION)]
    words = root.needed(_WORDS)
    thresholds, performance = points_of(groups[key(terms.GROUP_POINT)])
    domain = next(iter(groups.get(key(terms.GROUP_INPUT), [])), None)
    covering = next(iter(groups.get(key(terms.GROUP_COVERING), [])), None)
    verdict = next(iter(groups.get(key(terms.GROUP_VERDICT), [])), None)
    table = next(iter(groups.get(key(terms.GROUP_TABLE), [])), None)
    reader = next(iter(groups.get(key(terms.GROUP_READER), [])), None)
    target = answer.answer(terms.TARGET, terms.CLASSES)
    prediction = Prediction(
        shares_of(answer),
        answer.answer(terms.DECISION, terms.CLASSES),
        thresholds,
        None if domain is None else domain_of(domain),
        None if answer.find(terms.T_SCORE) is None else answer.number(terms.T_SCORE),
    )
    return PriorResult(
        image=AboutImage(
            **uids,
            sha256=words.text(terms.FILE_SHA256),
            view=words.text(terms.VIEW),
            site=words.text(terms.BODY_PART),
        ),
        model=ModelFacts(
            root.text(_MODEL_NAME),
            words.text(terms.MODEL_TITLE),
            words.text(terms.MODEL_SITE),
            words.text(terms.BUNDLE_SHA256),
            words.text(terms.WEIGHTS_SHA256),
            answer.needed(terms.SIMULATED).value == key(terms.YES),
            performance,
        ),
        target=target,
        prediction=prediction,
        target_probability=prediction.low_bone_mass if target == "low bone mass" else prediction.probabilities[target],
        covering=None if covering is None else covering_of(covering, groups.get(key(terms.GROUP_EFFECT), []), thresholds),
        verdict=None if verdict is None else verdict_of(verdict),
        notes=tuple(note_of(one) for one in words.all(terms.REMARK)),
        statements=tuple(one.value for one in answer.all(terms.STATEMENT)),
        software=root.text(_SERIAL),
        started=words.text(terms.STARTED),
        device=words.text(terms.DEVICE),
        precision=words.text(terms.PRECISION),
        opinion=None if reader is None else opinion_of(reader),
        table=None if table is None else table_of(table, groups.get(key(terms.GROUP_ROW), [])),
    )
