"""The frames of a DICOM Segmentation that lie on one image, segment by segment, as boolean masks.

Frames of one bit do not begin at whole bytes, which general decoders do not cut; so native frames are cut here, compressed ones
are left to pydicom's decoders. Only the frames that are asked for are decoded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

_MOST_FRAMES = 10_000


class SegmentFrames:
    """Frames by segment.

    Parameters
    ----------
    dataset : a Segmentation or Label Map Segmentation. shape : (rows, columns) that its frames must have.
    sop_instance_uid : of the image. Frames that say that they lie on another one are left out.

    Raises
    ------
    InputError
        One sentence, code "masks-unreadable" or "masks-not-2d", for pixels that cannot be those of such a segmentation.
    """

    def __init__(self, dataset: Dataset, shape: tuple[int, int], sop_instance_uid: str, name: str) -> None:
        self._dataset, self._shape, self._name = dataset, shape, name
        self.kind = header.word(dataset, "SegmentationType") or "LABELMAP"
        self._bits = header.integer(dataset, "BitsAllocated") or 0
        self._count = header.integer(dataset, "NumberOfFrames") or 1
        if (self.kind == "BINARY") != (self._bits == 1) or self._bits not in (1, 8, 16) or not 0 < self._count <= _MOST_FRAMES:
            raise self._damaged()
        self._half = (header.integer(dataset, "MaximumFractionalValue") or 255) / 2
        self._frames = self._by_segment(sop_instance_uid)
        self._syntax = self._transfer_syntax()
        self._held: tuple[int, np.ndarray] | None = None

    def mask(self, number: int) -> np.ndarray:
        """The mask of a segment, bool (rows, columns); of all of its frames on this image together."""
        mask = np.zeros(self._shape, bool)
        for index in self._frames.get(0 if self.kind == "LABELMAP" else number, ()):
            frame = self._frame(index)
            mask |= (
                frame == number if self.kind == "LABELMAP" else frame >= self._half if self.kind == "FRACTIONAL" else frame != 0
            )
        return mask

    def _by_segment(self, sop_instance_uid: str) -> dict[int, list[int]]:
        """Segment number → positions of its frames; a label map's frames hold all segments and stand under 0."""
        shared = header.items(self._dataset, "SharedFunctionalGroupsSequence")[:1]
        groups = header.items(self._dataset, "PerFrameFunctionalGroupsSequence")
        if len(groups) != self._count and (self._count > 1 or groups):
            raise self._damaged()
        found: dict[int, list[int]] = {}
        for index in range(self._count):
            mine = [*groups[index : index + 1], *shared]
            if _elsewhere(mine, sop_instance_uid):
                continue
            number = 0 if self.kind == "LABELMAP" else _segment_number(mine)
            if number is None:
                raise self._damaged()
            found.setdefault(number, []).append(index)
        return found

    def _transfer_syntax(self) -> str:
        from pydicom.uid import ExplicitVRBigEndian

        stated = header.text(getattr(self._dataset, "file_meta", self._dataset), "TransferSyntaxUID")
        if stated == ExplicitVRBigEndian:
            raise self._damaged()
        return stated

    def _frame(self, index: int) -> np.ndarray:
        if self._held is None or self._held[0] != index:  # all segments of a label map are in the same frame
            self._held = (index, self._decoded(index))
        return self._held[1]

    def _decoded(self, index: int) -> np.ndarray:
        """One frame as stored, (rows, columns)."""
        from pydicom.uid import UID

        data = header.value(self._dataset, "PixelData")
        if not isinstance(data, bytes):
            raise self._damaged()
        syntax = UID(self._syntax)
        if syntax.is_transfer_syntax and syntax.is_encapsulated:
            return self._decompressed(data, syntax, index)
        pixels = self._shape[0] * self._shape[1]
        first, end = index * pixels * self._bits, (index + 1) * pixels * self._bits
        part = np.frombuffer(data, np.uint8)[first // 8 : -(-end // 8)]
        if len(part) < -(-end // 8) - first // 8:
            raise self._damaged()
        if self._bits == 1:
            return np.unpackbits(part, bitorder="little")[first % 8 :][:pixels].reshape(self._shape)
        return np.frombuffer(part.tobytes(), "<u2" if self._bits == 16 else np.uint8).reshape(self._shape)

    def _decompressed(self, data: bytes, syntax: UID, index: int) -> np.ndarray:
        from pydicom.encaps import generate_frames
        from pydicom.pixels import get_decoder

        from OsteoScreenLib.radiograph.decode import codestream_size
        from OsteoScreenLib.radiograph.quiet import quiet

        options: dict[str, Any] = {
            "rows": self._shape[0],
            "columns": self._shape[1],
            "samples_per_pixel": 1,
            "photometric_interpretation": "MONOCHROME2",
            "bits_allocated": self._bits,
            "bits_stored": self._bits,
            "pixel_representation": 0,
            "number_of_frames": self._count,
            "pixel_keyword": "PixelData",
        }
        try:
            with quiet():
                frame = next(itertools.islice(generate_frames(data, number_of_frames=self._count), index, None), b"")
                if codestream_size(frame) not in (None, self._shape):
                    raise self._damaged()
                array, _ = get_decoder(syntax).as_array(data, index=index, **options)
        except (MemoryError, KeyboardInterrupt, SystemExit, InputError):
            raise
        except BaseException as error:  # every codec raises its own kinds, and one written in Rust panics past Exception
            raise self._damaged() from error
        if array.shape != self._shape:
            raise self._damaged()
        return array

    def _damaged(self) -> InputError:
        return InputError(
            f"{self._name} is a damaged segmentation, or one of a kind that is not read here; export it again.",
            "masks-unreadable",
        )


def _segment_number(groups: list[Dataset]) -> int | None:
    for group in groups:
        for item in header.items(group, "SegmentIdentificationSequence"):
            return header.integer(item, "ReferencedSegmentNumber")
    return None


def _elsewhere(groups: list[Dataset], sop_instance_uid: str) -> bool:
    """Whether a frame says that it was derived from other images alone."""
    named = {
        header.text(source, "ReferencedSOPInstanceUID")
        for group in groups
        for derivation in header.items(group, "DerivationImageSequence")
        for source in header.items(derivation, "SourceImageSequence")
    }
    return bool(named) and sop_instance_uid not in named


def referenced_images(dataset: Dataset) -> Iterator[str]:
    """SOP Instance UIDs of all images that a segmentation says it is about."""
    for keyword in ("SourceImageSequence", "ReferencedImageSequence"):
        for item in header.items(dataset, keyword):
            yield header.text(item, "ReferencedSOPInstanceUID")
    studies = header.items(dataset, "StudiesContainingOtherReferencedInstancesSequence")
    for holder in (dataset, *studies):
        for series in header.items(holder, "ReferencedSeriesSequence"):
            for item in header.items(series, "ReferencedInstanceSequence"):
                yield header.text(item, "ReferencedSOPInstanceUID")
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in header.items(dataset, keyword):
            for derivation in header.items(group, "DerivationImageSequence"):
                for item in header.items(derivation, "SourceImageSequence"):
                    yield header.text(item, "ReferencedSOPInstanceUID")
