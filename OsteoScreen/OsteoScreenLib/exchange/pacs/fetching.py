"""Fetches objects into a folder, one file each, and says of each what became of it. A second call goes on from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from OsteoScreenLib.exchange.pacs.client import Client
from OsteoScreenLib.exchange.pacs.connection import LARGEST_OBJECT
from OsteoScreenLib.exchange.pacs.faults import PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.query import FoundImage
from OsteoScreenLib.radiograph.header import is_uid


@dataclass(frozen=True)
class Fetched:
    """What became of one object. status : "fetched"; "already", the folder had it; "refused" for good; "unreachable", worth a retry.

    path : the file, None for the last two, whose reason is in sentence and code.
    """

    image: FoundImage
    status: Literal["fetched", "already", "refused", "unreachable"]
    path: Path | None = None
    sentence: str = ""
    code: str = ""


def fetch(client: Client, images: Sequence[FoundImage], folder: Path, *, largest: int = LARGEST_OBJECT) -> Iterator[Fetched]:
    """Write each object to `folder`/SOP-Instance-UID.dcm, and yield what became of it as it happens.

    One refusal does not stop the others. When the PACS cannot be reached, the rest is yielded as "unreachable" without trying.
    A UID that is none, such as a path, is refused and never becomes a file's name.

    folder : must exist. largest : bytes of an object that are accepted.
    Raises `NotAllowed` when the PACS does not let us in, `OsteoScreenError` when the disk is full; what was fetched stays.
    """
    unreachable: PacsUnreachable | None = None
    for image in images:
        if not (is_uid(image.uid) and is_uid(image.study_uid) and is_uid(image.series_uid)):
            yield Fetched(
                image, "refused", None, "The PACS lists an object under a UID that is none; it was left alone.", "bad-uid"
            )
            continue
        path = folder / f"{image.uid}.dcm"
        if _is_there(path, image.uid):
            yield Fetched(image, "already", path)
            continue
        if unreachable is None:
            try:
                client.retrieve(image, path, largest)
            except PacsUnreachable as error:
                unreachable = error
            except PacsRefused as error:
                yield Fetched(image, "refused", None, str(error), error.code)
                continue
            else:
                yield Fetched(image, "fetched", path)
                continue
        yield Fetched(image, "unreachable", None, str(unreachable), unreachable.code)


def _is_there(path: Path, uid: str) -> bool:
    """Whether the file holds the object already. Files are written atomically, so the header tells."""
    if not path.is_file():
        return False
    from pydicom import dcmread

    from OsteoScreenLib.radiograph.quiet import quiet

    try:
        with quiet():
            return str(dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID) == uid
    except Exception:  # pydicom raises whatever the file's bytes lead it to; the file is replaced
        return False
