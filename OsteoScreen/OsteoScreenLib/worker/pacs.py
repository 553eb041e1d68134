"""`python -m OsteoScreenLib.worker.pacs`: the window's child for the network. It imports no torch, and asks nobody by itself.

It serves one window over the pipes of `worker.server`: a request that a slow archive holds up is ended with the process, and the
window never waits. What names a patient goes to the window, which shows it, and into no log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import path_in
from OsteoScreenLib.worker.server import Answer, Handler, Progress

if TYPE_CHECKING:
    from OsteoScreenLib.exchange.pacs.client import Client
    from OsteoScreenLib.exchange.pacs.connection import Connection
    from OsteoScreenLib.exchange.pacs.query import FoundImage

MOST_SERIES = 500  # listed at once
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."  # SOP classes of structured reports (PS3.4 B.5) begin so
_MASKS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # Segmentation, Label Map Segmentation Storage


class Pacs:
    """Answers the requests of `workbench.pacs_desk`."""

    def handlers(self) -> dict[str, Handler]:
        """Request kind → what answers it."""
        return {
            "connections": self.connections,
            "add-connection": self.add_connection,
            "remove-connection": self.remove_connection,
            "test-connection": self.test_connection,
            "find": self.find,
            "fetch": self.fetch,
            "look": self.look,
            "send": self.send,
            "prior": self.prior,
        }

    def connections(self, request: Message, progress: Progress) -> Answer:
        """The stored connections: name, kind, where, protection, secret ("none", "there", "missing")."""
        from OsteoScreenLib.exchange.pacs.connections import connections

        return Answer({"connections": [_facts(one) for one in connections()]})

    def add_connection(self, request: Message, progress: Progress) -> Answer:
        """Body: `values`, the fields of a connection, and `secret`, kept where the connection's own `secret` is "kept"."""
        from OsteoScreenLib.exchange.pacs.connection import connection_from
        from OsteoScreenLib.exchange.pacs.connections import add

        add(connection_from(_mapping(request.body, "values")), _text(request.body, "secret") or None, replace=True)
        return self.connections(request, progress)

    def remove_connection(self, request: Message, progress: Progress) -> Answer:
        """Body: `name`. Its kept secret goes with it."""
        from OsteoScreenLib.exchange.pacs.connections import remove

        remove(_text(request.body, "name"))
        return self.connections(request, progress)

    def test_connection(self, request: Message, progress: Progress) -> Answer:
        """Body: `name`, `secret`. One sentence of what the archive answers."""
        with _client(request, retries=0) as client:
            return Answer({"sentence": client.test()})

    def find(self, request: Message, progress: Progress) -> Answer:
        """Body: `name`, `secret`, `search`. The series, and a remark when there are more than are listed."""
        from OsteoScreenLib.exchange.pacs.query import Query

        search = _mapping(request.body, "search")
        query = Query(
            patient_id=_text(search, "patient_id"),
            patient_name=_text(search, "patient_name"),
            accession=_text(search, "accession"),
            date=_days(_text(search, "first_day"), _text(search, "last_day")),
            modalities=tuple(map(str, search.get("modalities", ()))),
        )
        progress("find", 0.0, "Searching")
        with _client(request) as client:
            listing = client.find_series(query, MOST_SERIES)
        series = [
            {
                "study_uid": one.study_uid,
                "series_uid": one.series_uid,
                "patient_name": one.patient_name,
                "patient_id": one.patient_id,
                "date": one.study_date,
                "modality": one.modality,
                "description": one.description,
                "images": one.images,
            }
            for one in listing.series
        ]
        remarks = [
            "there are more; say more about what you look for" if listing.more else "",
            f"{listing.unusable} could not be listed, for their UIDs are none" if listing.unusable else "",
        ]
        return Answer({"series": series, "remark": "; ".join(filter(None, remarks))})

    def fetch(self, request: Message, progress: Progress) -> Answer:
        """Body: `name`, `secret`, `series` (as `find` gives them), `out`. Files that came, and a sentence for each that did not."""
        from OsteoScreenLib.exchange.pacs.fetching import fetch
        from OsteoScreenLib.exchange.pacs.query import FoundSeries

        folder = path_in(request.body, "out")
        wanted = [_mapping({"series": one}, "series") for one in request.body.get("series", ())]
        problems: list[str] = []
        with _client(request) as client:
            images: list[FoundImage] = []
            belongs: dict[str, Mapping[str, Any]] = {}
            for at, values in enumerate(wanted):
                progress("list", 0.0, f"Asking for series {at + 1} of {len(wanted)}")
                series = FoundSeries(_text(values, "study_uid"), _text(values, "series_uid"), _text(values, "modality"))
                listed = client.find_images(series)
                if not listed:
                    problems.append(f"Series {at + 1} of those chosen is empty; the archive lists no object in it.")
                images += listed
                belongs |= {image.uid: values for image in listed}
            folder.mkdir(parents=True, exist_ok=True)
            files, names = [], _Names()
            for done, one in enumerate(fetch(client, images, folder), start=1):
                progress("fetch", done / len(images), f"{done} of {len(images)} objects")
                if one.path is None:
                    problems.append(one.sentence)
                    continue
                values = belongs[one.image.uid]
                name = names.of(_text(values, "modality"), _text(values, "date"))
                files.append({"path": str(one.path), "name": name, "kind": _kind(one.path)})
        return Answer({"files": files, "problems": problems})

    def look(self, request: Message, progress: Progress) -> Answer:
        """Body: `paths`. What each file is and what of the patient it carries. Nothing is sent."""
        from OsteoScreenLib.exchange.pacs.outgoing import look
        from OsteoScreenLib.worker.carried import description_of, patient_in

        outgoing, left = look(_paths(request.body))
        if left:
            raise InputError(left[0].sentence, code=left[0].code)
        objects = [
            {
                "path": str(one.path),
                "kind": one.kind,
                "title": description_of(one.path),
                "bytes": one.bytes,
                "carries": list(patient_in(one.path)),
            }
            for one in outgoing
        ]
        return Answer({"objects": objects})

    def send(self, request: Message, progress: Progress) -> Answer:
        """Body: `name`, `secret`, `paths`. What became of each file: `problem` is "" where the archive has it."""
        from OsteoScreenLib.exchange.pacs.outgoing import look
        from OsteoScreenLib.exchange.pacs.sending import send

        outgoing, left = look(_paths(request.body))
        outcomes = [{"path": str(file.path), "problem": file.sentence} for file in left]
        stored = 0
        with _client(request) as client:
            for one in send(client, outgoing):
                there = one.status in ("stored", "already")
                stored += there
                outcomes.append({"path": str(one.item.path), "problem": "" if there else one.sentence})
                progress("send", len(outcomes) / (len(outgoing) + len(left)), f"{stored} of {len(outgoing)} were stored")
        return Answer({"outcomes": outcomes})

    def prior(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, a structured report of OsteoScreen's or an analysis.json. (title, value) rows, without patient data."""
        from OsteoScreenLib.exchange.analysis_file import read_result
        from OsteoScreenLib.exchange.prior_rows import rows

        return Answer({"rows": [list(row) for row in rows(read_result(path_in(request.body, "path")))]})


class _Names:
    """What files are called in the list of cases: kind and day, never the patient."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def of(self, modality: str, date: str) -> str:
        """ "DX 2024-01-31", the second time "DX 2024-01-31 (2)"."""
        day = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else ""
        name = " ".join(part for part in (modality, day) if part) or "From the PACS"
        self._given[name] = count = self._given.get(name, 0) + 1
        return name if count == 1 else f"{name} ({count})"


def _facts(connection: Connection) -> dict[str, str]:
    from OsteoScreenLib.exchange.pacs.connections import secret_is_at_hand

    secret = "none" if not connection.needs_secret else "there" if secret_is_at_hand(connection) else "missing"
    encrypted = connection.tls or connection.url.lower().startswith("https:")
    signs = {"none": "", "basic": f"user {connection.user} with a password", "token": "with a token"}[connection.auth]
    protection = ", ".join(part for part in ("encrypted" if encrypted else "not encrypted", signs) if part)
    return {
        "name": connection.name,
        "kind": connection.kind,
        "where": connection.address,
        "protection": protection,
        "secret": secret,
        "remark": connection.remark,
    }


def _client(request: Message, retries: int | None = None) -> Client:
    from OsteoScreenLib.exchange.pacs.client import open_client
    from OsteoScreenLib.exchange.pacs.connections import connection_named

    return open_client(connection_named(_text(request.body, "name")), _text(request.body, "secret") or None, retries)


def _kind(path: Path) -> str:
    """What a file that came is, by its SOP class, which the archive need not say."""
    import pydicom

    try:
        found = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    except Exception:  # what is wrong with it is said when it is opened
        return "image"
    sop_class = str(found.get("SOPClassUID", ""))
    return "report" if sop_class.startswith(_REPORTS) else "masks" if sop_class in _MASKS else "image"


def _days(first: str, last: str) -> str:
    """A range of days as PS3.4 C.2.2.2.5 writes it."""
    return first if first == last else f"{first}-{last}"


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"The option '{name}' cannot be {value!r}.", code="option")
    return value


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    if not isinstance(value, Mapping):
        raise InputError(f"The request names no usable {name}.", code="option")
    return value


def _paths(body: Mapping[str, Any]) -> Sequence[Path]:
    paths = body.get("paths")
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise InputError("The request names no usable files.", code="option")
    return [Path(path) for path in paths]


def main() -> int:
    """Take the pipes before anything can print, then serve until the window is gone."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from OsteoScreenLib.worker.private_folders import remove_leftovers
    from OsteoScreenLib.worker.server import Server, take_pipes

    incoming, outgoing = take_pipes()
    remove_leftovers()
    return Server(incoming, outgoing, Pacs().handlers()).run()


if __name__ == "__main__":
    sys.exit(main())
