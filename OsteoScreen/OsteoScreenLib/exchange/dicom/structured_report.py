"""A result as a Comprehensive SR document of template TID 1500 "Measurement Report" (PS3.3 A.35.3, PS3.16).

The observer is the software with its model; the image library names the radiograph; imaging measurements hold the numbers
(`report_groups`); qualitative evaluations hold what is said in words. `read_report` reads all of it back.

The document is preliminary and unverified: nobody answers for it. It is partial where bones that were to be covered were not found.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import Bone, Code
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_NAME, concept
from OsteoScreenLib.exchange.dicom.group_maker import GroupMaker, Segments
from OsteoScreenLib.exchange.dicom.image_library import image_library
from OsteoScreenLib.exchange.dicom.report_groups import groups_of
from OsteoScreenLib.exchange.dicom.report_items import code_item, modified, text_item
from OsteoScreenLib.exchange.dicom.series import MANUFACTURER, MODEL_NAME, object_facts
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.dicom.uids import result_uid, result_uids
from OsteoScreenLib.exchange.overlay import banner
from OsteoScreenLib.exchange.prior_result import BoneTable, PriorResult, ReaderOpinion, result_of
from OsteoScreenLib.explain.analysis import Analysis

if TYPE_CHECKING:
    from highdicom.sr import AlgorithmIdentification, ComprehensiveSR, ContentItem, MeasurementReport, ObserverContext
    from pydicom.dataset import Dataset

# PS3.16 CID 100 has no code for one body region that fits every site; which one it is, is told beside it.
PROCEDURE = Code("43468-8", "XR unspecified body region", "LN")
_MEASUREMENTS = "126010"  # DCM, "Imaging Measurements"
QUALITATIVE = Code("C0034375", "Qualitative Evaluations", "UMLS")


def structured_report(
    source: SourceImage,
    analysis: Analysis,
    masks: BoneMasks | None,
    segmentation: Dataset | None = None,
    opinion: ReaderOpinion | None = None,
    table: BoneTable | None = None,
) -> ComprehensiveSR:
    """The report of an analysis, as a data set that is ready to be written.

    Parameters
    ----------
    masks : of the analysis. segmentation : their DICOM SEG, to whose segments the effects of bones refer; None where there is none.
    opinion : what a reader thought, under the reader's code. table : of every bone by itself.
    """
    result = result_of(analysis, opinion, table)
    said = _digest(opinion, table)
    if masks is None:
        uid = result_uid(
            "report", source.sop_instance_uid, analysis.model.sha256, json.dumps(asdict(analysis.request), sort_keys=True), said
        )
    else:
        uid = result_uids(source.sop_instance_uid, analysis, masks, said).report
    bones = {} if analysis.site is None else analysis.site.by_name
    return report_of(result, source, uid, bones, segmentation)


def _digest(*more: ReaderOpinion | BoneTable | None) -> str:
    """What names the parts of a report that are not in the analysis; "" without any."""
    if not any(more):
        return ""
    text = json.dumps([one if one is None else asdict(one) for one in more], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def report_of(
    result: PriorResult, source: SourceImage, uid: str, bones: dict[str, Bone], segmentation: Dataset | None = None
) -> ComprehensiveSR:
    """The report of a result under a SOP Instance UID. bones : of the body site, by name."""
    from highdicom import sr
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    from OsteoScreenLib.radiograph.quiet import quiet

    with quiet():  # what highdicom remarks on names would name the patient
        report = sr.ComprehensiveSR(
            evidence=[source.header] + ([segmentation] if segmentation is not None else []),
            content=_content(result, source, bones, segmentation),
            is_complete=_complete(result),
            is_final=False,
            is_verified=False,
            coding_schemes=[CodingSchemeIdentificationItem(PRIVATE_SCHEME, name=PRIVATE_SCHEME_NAME)],
            **object_facts("report", source, uid),
        )
    report.CompletionFlagDescription = _plain(banner(result.model.simulated_training))
    return report


def _plain(notice: str) -> str:
    """The banner in letters that every character set has."""
    return notice.replace(" · ", "; ")


def _complete(result: PriorResult) -> bool:
    return result.covering is None or not result.covering.not_found


def _content(
    result: PriorResult, source: SourceImage, bones: dict[str, Bone], segmentation: Dataset | None
) -> MeasurementReport:
    from highdicom import sr

    maker = GroupMaker(
        source.sop_class_uid,
        source.sop_instance_uid,
        bones,
        None if segmentation is None else segments_of(segmentation),
        _algorithm(result),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_device(result)),
        procedure_reported=concept(PROCEDURE),
        imaging_measurements=groups_of(maker, result),
        title=concept(Code("126000", "Imaging Measurement Report", "DCM")),
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            concept(Code("en", "English", "RFC5646"))
        ),
    )
    root = content[0]
    measured = next(i for i, item in enumerate(root.ContentSequence) if item.name.value == _MEASUREMENTS)
    root.ContentSequence.insert(measured, image_library(source))
    root.ContentSequence.append(_in_words(result))
    return content


def _device(result: PriorResult) -> ObserverContext:
    """The software with this very model as the observer: its UID stands for the model's bundle."""
    from highdicom import sr

    return sr.ObserverContext(
        observer_type=concept(Code("121007", "Device", "DCM")),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=result_uid("device", "", result.model.sha256, result.software),
            name=MODEL_NAME,
            manufacturer_name=MANUFACTURER,
            model_name=result.model.id,
            serial_number=result.software,
        ),
    )


def _algorithm(result: PriorResult) -> AlgorithmIdentification:
    from highdicom import sr

    model = result.model
    return sr.AlgorithmIdentification(
        name=f"{MODEL_NAME} {model.id}",
        version=f"{result.software}, model {model.sha256[:16]}",
        parameters=[f"precision {result.precision}"],
    )


def _in_words(result: PriorResult) -> ContentItem:
    """Qualitative evaluations: what must stand beside the numbers, every remark, and how the answer came about."""
    from highdicom.sr import ContainerContentItem, ContentSequence

    model, image = result.model, result.image
    items: list[ContentItem] = [text_item(terms.COMMENT, _plain(banner(model.simulated_training, result.prediction.domain)))]
    for note in result.notes:
        remark = text_item(terms.REMARK, note.text)
        items.append(
            modified(
                remark,
                text_item(terms.REMARK_CODE, note.code, "HAS CONCEPT MOD"),
                code_item(terms.SEVERITY, terms.SEVERITIES[note.severity], "HAS CONCEPT MOD"),
            )
        )
    facts = (
        (terms.MODEL_TITLE, model.title),
        (terms.MODEL_SITE, model.site),
        (terms.BUNDLE_SHA256, model.sha256),
        (terms.WEIGHTS_SHA256, model.weights_sha256),
        (terms.FILE_SHA256, image.sha256),
        (terms.VIEW, image.view),
        (terms.BODY_PART, image.site),
        (terms.STARTED, result.started),
        (terms.DEVICE, result.device),
        (terms.PRECISION, result.precision),
    )
    items += [text_item(name, text) for name, text in facts if text]
    container = ContainerContentItem(name=concept(QUALITATIVE), relationship_type="CONTAINS")
    container.ContentSequence = ContentSequence(items)
    return container


def segments_of(segmentation: Dataset) -> Segments:
    """Where each segment's frames are, by the segments' labels."""
    frames: dict[int, list[int]] = {}
    for frame, groups in enumerate(segmentation.PerFrameFunctionalGroupsSequence, start=1):
        number = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        frames.setdefault(number, []).append(frame)
    return Segments(
        str(segmentation.SOPClassUID),
        str(segmentation.SOPInstanceUID),
        {
            str(segment.SegmentLabel): (int(segment.SegmentNumber), tuple(frames[int(segment.SegmentNumber)]))
            for segment in segmentation.SegmentSequence
            if int(segment.SegmentNumber) in frames
        },
    )
