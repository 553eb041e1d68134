"""A PACS by DIMSE: C-ECHO, C-FIND, C-GET or C-MOVE at the study root, and C-STORE (PS3.4 annexes B and C) through pynetdicom."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, build_role
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from OsteoScreenLib.exchange.pacs import searching
from OsteoScreenLib.exchange.pacs.association import Line, associate
from OsteoScreenLib.exchange.pacs.client import MOST_SERIES
from OsteoScreenLib.exchange.pacs.connection import LARGEST_OBJECT, Connection
from OsteoScreenLib.exchange.pacs.faults import PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing
from OsteoScreenLib.exchange.pacs.query import FoundImage, FoundSeries, Listing, Query
from OsteoScreenLib.exchange.pacs.receiving import TRANSFER_SYNTAXES, OwnPort, Receiver
from OsteoScreenLib.exchange.pacs.retrying import again
from OsteoScreenLib.exchange.pacs.size_guard import size_guard
from OsteoScreenLib.exchange.pacs.status import stored_or_raise
from OsteoScreenLib.exchange.pacs.transfer import not_taken, store_as_taken, unwarned, write_received

_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_PENDING = (0xFF00, 0xFF01)

_Answer = TypeVar("_Answer")


class DimseClient:
    """One PACS by DIMSE. See `client.Client`. Holds at most one association open, and its own port for C-MOVE once that is used."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._receiver = Receiver(LARGEST_OBJECT)
        self._line = Line(self._associate)
        self._port: OwnPort | None = None

    def __enter__(self) -> DimseClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        if self._port is not None:
            self._port.close()

    def test(self) -> str:
        """C-ECHO."""

        def echo() -> None:
            self._status(self._line.for_("echo").send_c_echo())

        self._again(echo)
        return f"{self.connection.name} answers: DIMSE, {self.connection.address}."

    def find_series(self, query: Query, most: int = MOST_SERIES) -> Listing:
        return searching.find_series(self._ask, query, most)

    def find_images(self, series: FoundSeries) -> tuple[FoundImage, ...]:
        return searching.find_images(self._ask, series)

    def retrieve(self, image: FoundImage, path: Path, largest: int = LARGEST_OBJECT) -> None:
        self._receiver.largest = largest
        fetch = self._move if self.connection.retrieve == "move" else self._get
        data = self._again(lambda: fetch(image))
        write_received(data, image, path, self.connection.name)

    def store(self, item: Outgoing) -> None:
        store_as_taken(item, self.connection.name, lambda dataset: self._again(lambda: self._store(item, dataset)))

    def _associate(self, what: str, which: str) -> Association:
        if what == "get":
            # One context for each encoding, so that each object comes as it is kept.
            contexts = [build_context(which, syntax) for syntax in TRANSFER_SYNTAXES]
            contexts.append(build_context(StudyRootQueryRetrieveInformationModelGet))
            handlers = self._receiver.handlers(self.connection.timeout_s)
            return associate(self.connection, contexts, handlers, [build_role(which, scp_role=True)])
        guard = size_guard(LARGEST_OBJECT, silence_s=self.connection.timeout_s)
        if what == "store":
            sop_class, _, syntax = which.partition(" ")
            syntaxes = dict.fromkeys((UID(syntax), *_PLAIN))
            return associate(self.connection, [build_context(sop_class, one) for one in syntaxes], guard)
        model = {
            "echo": Verification,
            "find": StudyRootQueryRetrieveInformationModelFind,
            "move": StudyRootQueryRetrieveInformationModelMove,
        }[what]
        return associate(self.connection, [build_context(model)], guard)

    def _ask(self, level: searching.Level, match: Mapping[str, str], wanted: Sequence[str]) -> Iterator[dict[str, str]]:
        keys = {"QueryRetrieveLevel": level, **dict.fromkeys(wanted, ""), **match}

        def find() -> list[dict[str, str]]:
            matches = []
            with unwarned():
                asked = _identifier(keys)
                for status, answer in self._line.for_("find").send_c_find(asked, StudyRootQueryRetrieveInformationModelFind):
                    if status and status.Status in _PENDING:
                        if answer is not None:
                            matches.append({keyword: _text(answer, keyword) for keyword in wanted})
                    else:
                        self._status(status)
            return matches

        yield from self._again(find)

    def _get(self, image: FoundImage) -> bytes:
        sop_class = image.sop_class or self._sop_class(image)
        association = self._line.for_("get", sop_class)
        return self._received(image, lambda wanted: association.send_c_get(wanted, StudyRootQueryRetrieveInformationModelGet))

    def _move(self, image: FoundImage) -> bytes:
        if self._port is None:
            self._port = OwnPort(self.connection, self._receiver)
        association = self._line.for_("move")
        ours = self.connection.calling_aet
        return self._received(
            image, lambda wanted: association.send_c_move(wanted, ours, StudyRootQueryRetrieveInformationModelMove)
        )

    def _received(self, image: FoundImage, ask: Callable[[Dataset], Iterator[tuple[Dataset, Dataset | None]]]) -> bytes:
        name = self.connection.name
        with self._receiver.waiting_for(image.uid), unwarned():
            last = Dataset()
            for answer, _ in ask(_wanted(image)):
                last = answer
            if self._receiver.too_large:
                self._line.cut()
                raise PacsRefused(
                    f"{name}: the object is larger than {self._receiver.largest / 1e6:.0f} MB, the limit; it was not taken.",
                    "too-large",
                )
            if self._receiver.data is not None:
                return self._receiver.data
            if self._receiver.unasked:
                raise PacsRefused(f"{name} sent another object than was asked for; it was not kept.", "wrong-answer")
        status = self._status(last)
        if status == 0xB000 or last.get("NumberOfFailedSuboperations"):
            raise PacsRefused(f"{name} could not hand over the object as it is kept.", "not-handed-over")
        raise PacsRefused(f"{name} does not have the object any more.", "not-there")

    def _sop_class(self, image: FoundImage) -> str:
        """What kind of object it is, asked for where the listing did not say."""
        series = FoundSeries(image.study_uid, image.series_uid, image.modality)
        known = {one.uid: one.sop_class for one in self.find_images(series)}
        if not known.get(image.uid):
            raise PacsRefused(
                f"{self.connection.name} does not say what kind of object this is; use C-MOVE or DICOMweb.", "no-class"
            )
        return known[image.uid]

    def _store(self, item: Outgoing, dataset: Dataset) -> None:
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        association = self._line.for_("store", f"{item.sop_class} {syntax}")
        try:
            with unwarned():
                answer = association.send_c_store(dataset)
        except ValueError as error:  # no context for this encoding was accepted, or the data set cannot be encoded
            raise not_taken(item, syntax, self.connection.name) from error
        if not answer:
            self._status(answer)
        stored_or_raise(int(answer.Status), self.connection.name, item.path.name)

    def _status(self, answer: Dataset) -> int:
        """The status of a final answer if it is success or a warning; else raises what it means (PS3.4 C.4)."""
        name = self.connection.name
        if not answer:  # pynetdicom's sign for no answer in time, or for an association that ended
            self._line.cut()
            raise PacsUnreachable(f"{name} did not answer, or ended the association; try again later.")
        status = int(answer.Status)
        if status in (0x0000, 0xB000, 0x0001) or 0xB000 <= status <= 0xBFFF:
            return status
        if 0xA700 <= status <= 0xA7FF:
            raise PacsUnreachable(f"{name} is out of resources (status 0x{status:04X}); try again later.")
        if status == 0xA801:
            raise PacsRefused(
                f"{name} does not know {self.connection.calling_aet} as a place to send to; have its administrator enter it with our "
                f"port {self.connection.listen}, or change the connection to --retrieve get.",
                "unknown-destination",
            )
        raise PacsRefused(f"{name} refused the request (status 0x{status:04X}).")

    def _again(self, action: Callable[[], _Answer]) -> _Answer:
        return again(functools.partial(self._once, action), self.connection.retries)

    def _once(self, action: Callable[[], _Answer]) -> _Answer:
        try:
            return action()
        except RuntimeError as error:  # the association ended between two requests
            self._line.cut()
            raise PacsUnreachable(f"{self.connection.name} ended the association; try again later.") from error
        except ValueError as error:  # what cannot be encoded
            raise PacsRefused(
                f"{self.connection.name} cannot be asked for this: a value in it does not fit.", "query"
            ) from error


def _wanted(image: FoundImage) -> Dataset:
    uids = {"StudyInstanceUID": image.study_uid, "SeriesInstanceUID": image.series_uid, "SOPInstanceUID": image.uid}
    return _identifier({"QueryRetrieveLevel": "IMAGE", **uids})


def _identifier(values: Mapping[str, str]) -> Dataset:
    identifier = Dataset()
    if not all(value.isascii() for value in values.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in values.items():
        setattr(identifier, keyword, value or None)
    return identifier


def _text(answer: Dataset, keyword: str) -> str:
    """One value as text; "" when it is missing or cannot be read."""
    try:
        value: Any = answer.get(keyword)
        return str("" if value is None else value).strip(" \0")
    except Exception:  # pydicom raises whatever the bytes lead it to
        return ""
