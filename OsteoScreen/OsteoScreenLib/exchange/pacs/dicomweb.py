"""A PACS by DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18 chapter 10) through dicomweb-client."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs import searching
from OsteoScreenLib.exchange.pacs.client import MOST_SERIES
from OsteoScreenLib.exchange.pacs.connection import LARGEST_OBJECT, Connection
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.http_session import Limit, check_answer, session_for
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing
from OsteoScreenLib.exchange.pacs.query import FoundImage, FoundSeries, Listing, Query
from OsteoScreenLib.exchange.pacs.retrying import again
from OsteoScreenLib.exchange.pacs.status import stored_or_raise
from OsteoScreenLib.exchange.pacs.transfer import not_taken, store_as_taken, unwarned, write_received
from OsteoScreenLib.exchange.pacs.wildcards import fits, widened

_PAGE = 200  # matches asked for at once
_WHOLE_BODY = 1 << 40  # bytes up to which a body is sent in one piece, with its length: many proxies refuse chunks
# The UIDs of the levels above go into the address (PS3.18 10.6.1.1).
_ABOVE: dict[searching.Level, dict[str, str]] = {
    "STUDY": {},
    "SERIES": {"StudyInstanceUID": "study_instance_uid"},
    "IMAGE": {"StudyInstanceUID": "study_instance_uid", "SeriesInstanceUID": "series_instance_uid"},
}
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INSUFFICIENT_STORAGE}
_FOR_GOOD = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}


class DicomWebClient:
    """One DICOMweb service. See `client.Client`."""

    def __init__(self, connection: Connection, secret: str) -> None:
        self.connection = connection
        self._limit = Limit(LARGEST_OBJECT)
        self._session = session_for(connection, secret)
        try:
            self._web = DICOMwebClient(
                connection.url.rstrip("/"),
                session=self._session,
                callback=functools.partial(check_answer, self._limit, connection),
                chunk_size=_WHOLE_BODY,
                permissive_uid=True,
            )
        except ValueError as error:
            raise InputError(
                f"Connection {connection.name}: {connection.url} is no address that can be used.", "connection"
            ) from error
        # It would repeat what the server refused, and bodies that are used up; `again` does neither.
        self._web.set_http_retry_params(retry=False)

    def __enter__(self) -> DicomWebClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def test(self) -> str:
        """One study is asked for."""
        self._again(lambda: self._web.search_for_studies(limit=1))
        return f"{self.connection.name} answers: DICOMweb at {self.connection.address}."

    def find_series(self, query: Query, most: int = MOST_SERIES) -> Listing:
        return searching.find_series(self._ask, query, most)

    def find_images(self, series: FoundSeries) -> tuple[FoundImage, ...]:
        return searching.find_images(self._ask, series)

    def retrieve(self, image: FoundImage, path: Path, largest: int = LARGEST_OBJECT) -> None:
        # Any transfer syntax: the object as it is kept (PS3.18 8.7.3.5.2).
        kinds = (("application/dicom", "*"),)
        get = functools.partial(self._web.retrieve_instance, image.study_uid, image.series_uid, image.uid, media_types=kinds)
        with self._limited(largest):
            dataset = self._again(get)
        write_received(dataset, image, path, self.connection.name)

    def store(self, item: Outgoing) -> None:
        store_as_taken(item, self.connection.name, lambda dataset: self._again(lambda: self._store(item, dataset)))

    def _store(self, item: Outgoing, dataset: Dataset) -> None:
        try:
            with unwarned():
                answer = self._web.store_instances([dataset])
        except requests.HTTPError as error:
            if error.response is None:
                raise
            if error.response.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
                raise not_taken(item, dataset.file_meta.TransferSyntaxUID, self.connection.name) from error
            answer = _json_of(error.response)
            if not answer.get("FailedSOPSequence"):
                raise
        for failed in answer.get("FailedSOPSequence") or ():
            if str(failed.get("ReferencedSOPInstanceUID", item.uid)) == item.uid:
                stored_or_raise(int(failed.get("FailureReason") or 0x0110), self.connection.name, item.path.name)

    def _ask(self, level: searching.Level, match: Mapping[str, str], wanted: Sequence[str]) -> Iterator[dict[str, str]]:
        found = False
        for entry in self._pages(level, match, wanted):
            found = True
            yield entry
        wider = widened(match)
        if not found and wider != match:
            yield from (entry for entry in self._pages(level, wider, wanted) if fits(match, entry))

    def _pages(self, level: searching.Level, match: Mapping[str, str], wanted: Sequence[str]) -> Iterator[dict[str, str]]:
        """Page by page, until the service has nothing new to say."""
        search: Any = {
            "STUDY": self._web.search_for_studies,
            "SERIES": self._web.search_for_series,
            "IMAGE": self._web.search_for_instances,
        }[level]
        above = _ABOVE[level]
        places = {argument: match[keyword] for keyword, argument in above.items()}
        filters = {keyword: value for keyword, value in match.items() if keyword not in above}
        search = functools.partial(search, **places, fields=list(wanted), search_filters=filters, limit=_PAGE)
        seen: set[str] = set()
        offset = 0
        while True:
            entries = self._again(lambda offset=offset: [_texts(entry, wanted) for entry in search(offset=offset)])
            fresh = [entry for entry in entries if entry[wanted[0]] not in seen]
            yield from fresh
            seen.update(entry[wanted[0]] for entry in fresh)
            offset += len(entries)
            if not fresh or (len(entries) < _PAGE and not self._limit.warned):
                return

    @contextlib.contextmanager
    def _limited(self, largest: int) -> Iterator[None]:
        before, self._limit.largest = self._limit.largest, largest
        try:
            yield
        finally:
            self._limit.largest = before

    def _again(self, action: Any) -> Any:
        return again(functools.partial(self._once, action), self.connection.retries)

    def _once(self, action: Any) -> Any:
        """What an exchange gives; whatever goes wrong as one of our three faults. Addresses, which hold the query, are not repeated."""
        name = self.connection.name
        try:
            return action()
        except requests.HTTPError as error:
            raise _fault_of(error.response, self.connection) from error
        except requests.JSONDecodeError as error:
            raise _no_dicomweb(self.connection) from error
        except requests.exceptions.SSLError as error:
            raise _fault_of_tls(str(error), self.connection) from error
        except requests.exceptions.ProxyError as error:
            raise PacsUnreachable(
                f"{name}: the proxy does not answer; check it, or set the connection's proxy to 'none'."
            ) from error
        except requests.Timeout as error:
            raise PacsUnreachable(
                f"{name} does not answer within {self.connection.timeout_s:g} seconds; try again later."
            ) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise InputError(f"Connection {name}: its address or proxy cannot be used.", "connection") from error
        except requests.RequestException as error:
            if "certificate required" in str(error) or "alert" in str(error):
                raise _fault_of_tls(str(error), self.connection) from error
            raise PacsUnreachable(f"{name} cannot be reached at {self.connection.address}; is it running?") from error
        except OSError as error:  # certificate files that requests cannot use
            raise InputError(f"Connection {name}: its certificate or key cannot be used.", "connection") from error
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, InvalidDicomError) as error:
            raise _no_dicomweb(self.connection) from error


def _fault_of(response: requests.Response | None, connection: Connection) -> Exception:
    """An HTTP status as one of our faults."""
    if response is None:
        return _no_dicomweb(connection)
    status, name = response.status_code, connection.name
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        wrong = "the password, token or certificate is" if connection.needs_secret or connection.certificate else "access is"
        return NotAllowed(f"{name}: {wrong} not accepted (HTTP {status}); check the connection.")
    if status in _BUSY or (status >= 500 and status not in _FOR_GOOD):
        return PacsUnreachable(f"{name} is busy or in trouble (HTTP {status}); try again later.", _seconds(response))
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return PacsRefused(
            f"{name} does not have what was asked for (HTTP {status}), or its address is not quite right.", "not-there"
        )
    return PacsRefused(f"{name} refused the request (HTTP {status}).")


def _fault_of_tls(text: str, connection: Connection) -> Exception:
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        return NotAllowed(
            f"{connection.name}: the server's certificate is not trusted; name the file of its authority with --ca if it is right."
        )
    if "PEM" in text or "key values mismatch" in text or "encrypted" in text:
        return InputError(
            f"Connection {connection.name}: its certificate or key cannot be used; the key must be without a password.",
            "connection",
        )
    if "alert" in text.lower() or "certificate required" in text:
        return NotAllowed(f"{connection.name} asks for a certificate of our own; name it with --certificate and --key.")
    return PacsUnreachable(
        f"{connection.name}: no encrypted connection could be made; check the address, and whether it asks for a certificate of ours."
    )


def _no_dicomweb(connection: Connection) -> PacsRefused:
    return PacsRefused(
        f"What answers at {connection.address} does not speak DICOMweb; check the connection's address.", "wrong-answer"
    )


def _seconds(response: requests.Response) -> float | None:
    """Retry-After in seconds; a date is not made use of."""
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isdecimal() and len(text) < 6 else None


def _json_of(response: requests.Response) -> Dataset:
    with contextlib.suppress(Exception):
        return Dataset.from_json(response.json())
    return Dataset()


def _texts(entry: Mapping[str, Any], keywords: Sequence[str]) -> dict[str, str]:
    """Attributes of an entry of the DICOM JSON model (PS3.18 F.2) as text; "" for those missing or not as the model says."""
    return {keyword: _text(entry.get(f"{tag_for_keyword(keyword):08X}")) for keyword in keywords}


def _text(attribute: Any) -> str:
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    value = values[0] if isinstance(values, list) and values else ""
    if isinstance(value, dict):
        value = value.get("Alphabetic")
    return "" if value is None else str(value).strip(" \0")
