"""A measurement group of the structured report: PS3.16 TID 1501, and TID 1410 for one bone whose outline is in a segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.bones.vocabulary import Bone, Code
from OsteoScreenLib.exchange.dicom.codes import concept
from OsteoScreenLib.exchange.dicom.report_items import site_of
from OsteoScreenLib.exchange.dicom.uids import tracking_uid

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        ContentItem,
        Measurement,
        QualitativeEvaluation,
        ReferencedSegmentationFrame,
    )

Group = Any  # a measurement group of highdicom


@dataclass(frozen=True)
class Segments:
    """Where the bones' outlines are: the segmentation's UIDs, and bone → (segment's number, numbers of its frames)."""

    sop_class_uid: str
    sop_instance_uid: str
    numbers: Mapping[str, tuple[int, tuple[int, ...]]]


@dataclass(frozen=True)
class GroupMaker:
    """Makes groups about one image. bones : name → bone. segments : None without a segmentation."""

    sop_class_uid: str
    sop_instance_uid: str
    bones: Mapping[str, Bone]
    segments: Segments | None
    algorithm: AlgorithmIdentification

    def group(
        self,
        track: str,
        kind: Code,
        numbers: Sequence[Measurement],
        answers: Sequence[QualitativeEvaluation] = (),
        said: Sequence[ContentItem] = (),
        bones: Sequence[str] = (),
        by_algorithm: bool = True,
    ) -> Group:
        """A group: of one bone whose outline is known by TID 1410, else TID 1501 with references to the segments there are.

        track : what the group is about, unique in the report; one bone's outline is tracked as its segment is.
        """
        from highdicom import sr

        outlined = [name for name in bones if self.segments is not None and name in self.segments.numbers]
        if len(bones) == 1 and outlined:
            track = bones[0]
        common: dict[str, Any] = {
            "tracking_identifier": sr.TrackingIdentifier(tracking_uid(self.sop_instance_uid, track), track),
            "finding_type": concept(kind),
            "algorithm_id": self.algorithm if by_algorithm and not bones else None,
            "finding_sites": [site_of(self.bones[name]) for name in bones if name in self.bones],
            "measurements": list(numbers),
            "qualitative_evaluations": list(answers),
        }
        group: Group
        if len(bones) == 1 and outlined:
            group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(**common, referenced_segment=self._frames_of(outlined[0]))
        else:
            group = sr.MeasurementsAndQualitativeEvaluations(
                **common, source_images=[sr.SourceImageForMeasurementGroup(self.sop_class_uid, self.sop_instance_uid)]
            )
            if outlined:
                group[0].ContentSequence.append(self._segments_of(outlined))
        group[0].ContentSequence.extend(said)
        return group

    def members(self, of: str, name: str) -> tuple[str, ...]:
        """The bones with an outline that a row of the table is about."""
        held = () if self.segments is None else tuple(self.segments.numbers)
        if of == "bone":
            return (name,)
        return tuple(bone for bone in held if of == "set" or (bone in self.bones and self.bones[bone].group == name))

    def _frames_of(self, bone: str) -> ReferencedSegmentationFrame:
        """The frames that hold one bone's outline."""
        from highdicom import sr

        assert self.segments is not None
        segment, frames = self.segments.numbers[bone]
        reference = sr.ReferencedSegmentationFrame(
            self.segments.sop_class_uid,
            self.segments.sop_instance_uid,
            frame_number=list(frames),
            segment_number=segment,
            source_image=sr.SourceImageForSegmentation(self.sop_class_uid, self.sop_instance_uid),
        )
        # The frames name their segment; a reference holds one or the other (PS3.3 table 10-3).
        del reference[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
        return reference

    def _segments_of(self, bones: Sequence[str]) -> ContentItem:
        """One reference to the segments of several bones."""
        from highdicom.sr import ImageContentItem

        assert self.segments is not None
        return ImageContentItem(
            name=concept(Code("121191", "Referenced Segment", "DCM")),
            referenced_sop_class_uid=self.segments.sop_class_uid,
            referenced_sop_instance_uid=self.segments.sop_instance_uid,
            referenced_segment_numbers=[self.segments.numbers[name][0] for name in bones],
            relationship_type="CONTAINS",
        )
