"""Objects between file and network: read to be sent, decompressed where the PACS wants that, written as they arrived."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID, ExplicitVRLittleEndian

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.faults import PacsRefused
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing
from OsteoScreenLib.exchange.pacs.query import FoundImage
from OsteoScreenLib.files import write_bytes
from OsteoScreenLib.radiograph.quiet import quiet

_PADDED_WITH_SPACE = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"}


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """pydicom's remarks on values that a source holds are kept from the terminal: they repeat the values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_for_sending(item: Outgoing) -> Dataset:
    """The data set of a file, unchanged but for values of odd length, which get the missing byte (PS3.5 7.1.1; Orthanc and others
    end the association over them). Raises `InputError` when the file is no longer what was looked at."""
    try:
        with quiet():
            dataset = _even(dcmread(item.path))
            same = str(dataset.SOPInstanceUID) == item.uid
    except Exception as error:  # pydicom raises whatever the file's bytes lead it to
        raise InputError(f"{item.path.name} cannot be read any more; look at it again.", "unreadable-file") from error
    if not same:
        raise InputError(f"{item.path.name} has changed since it was looked at; start again.", "changed-file")
    return dataset


def uncompressed(item: Outgoing, name: str) -> Dataset:
    """The object in Explicit VR Little Endian. Raises `PacsRefused` (code "transfer-syntax") where it is plain already or damaged."""
    if not UID(item.transfer_syntax).is_compressed:
        raise not_taken(item, item.transfer_syntax, name)
    try:
        with quiet():
            plain = dcmread(item.path)
            plain.decompress(generate_instance_uid=False)
    except Exception as error:  # codecs raise whatever a damaged stream leads them to
        raise not_taken(item, item.transfer_syntax, name, ", and its pixels cannot be decoded here") from error
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return plain


def store_as_taken(item: Outgoing, name: str, store: Callable[[Dataset], None]) -> None:
    """Send an object as it is kept; uncompressed where `store` refuses its transfer syntax (`not_taken`)."""
    try:
        store(read_for_sending(item))
    except PacsRefused as error:
        if error.code != "transfer-syntax":
            raise
        store(uncompressed(item, name))


def not_taken(item: Outgoing, syntax: str, name: str, more: str = "") -> PacsRefused:
    """The refusal of an encoding; the object may be sent again in another one."""
    return PacsRefused(f"{name} does not take the encoding of {item.path.name} ({UID(syntax).name}){more}.", "transfer-syntax")


def write_received(received: Dataset | bytes, image: FoundImage, path: Path, name: str) -> None:
    """Write an object that arrived, if it is the one that was asked for. Raises `PacsRefused` (code "wrong-answer") if not."""
    try:
        with quiet():
            dataset = dcmread(io.BytesIO(received), stop_before_pixels=True) if isinstance(received, bytes) else received
            uid = str(dataset.SOPInstanceUID)
            data = received if isinstance(received, bytes) else _encoded(dataset)
    except Exception as error:  # pydicom raises whatever the bytes lead it to
        raise PacsRefused(f"{name} sent something that is no DICOM object.", "wrong-answer") from error
    if uid != image.uid:
        raise PacsRefused(f"{name} sent another object than was asked for; it was not kept.", "wrong-answer")
    write_bytes(path, data)


def _even(dataset: Dataset) -> Dataset:
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and isinstance(element.value, bytes) and len(element.value) % 2:
            blank = b" " if element.VR in _PADDED_WITH_SPACE else b"\0"
            dataset[tag] = element._replace(value=element.value + blank, length=len(element.value) + 1)
    return dataset


def _encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()
