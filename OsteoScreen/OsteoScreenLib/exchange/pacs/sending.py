"""Sends objects one by one and says of each what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.client import Client
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing
from OsteoScreenLib.exchange.pacs.query import ANY, Query


@dataclass(frozen=True)
class Sent:
    """What became of one object. status : "stored"; "already", the PACS had it; "refused" for good; "unreachable", worth a retry.

    sentence, code : why, for the last two.
    """

    item: Outgoing
    status: Literal["stored", "already", "refused", "unreachable"]
    sentence: str = ""
    code: str = ""


def send(client: Client, items: Sequence[Outgoing], *, skip_present: bool = True) -> Iterator[Sent]:
    """Store the objects in the order given, and yield what became of each as it happens.

    One refusal does not stop the others. When the PACS cannot be reached, the rest is yielded as "unreachable" without trying.

    skip_present : ask first which objects of their studies the PACS lists, and leave these out, so that a broken run is taken up.
    Raises `NotAllowed` when the PACS does not let us in.
    """
    present: dict[str, frozenset[str]] = {}
    unreachable: PacsUnreachable | None = None
    for item in items:
        if unreachable is None:
            try:
                if skip_present and item.study_uid not in present:
                    present[item.study_uid] = _listed(client, item.study_uid)
                if item.uid in present.get(item.study_uid, ()):
                    yield Sent(item, "already")
                    continue
                client.store(item)
            except PacsUnreachable as error:
                unreachable = error
            except NotAllowed:
                raise
            except (PacsRefused, InputError) as error:
                yield Sent(item, "refused", str(error), error.code)
                continue
            else:
                yield Sent(item, "stored")
                continue
        yield Sent(item, "unreachable", str(unreachable), unreachable.code)


def _listed(client: Client, study_uid: str) -> frozenset[str]:
    """The objects of a study that the PACS lists; none where it cannot say."""
    try:
        listing = client.find_series(Query(study_uid=study_uid, modalities=ANY))
        return frozenset(image.uid for series in listing.series for image in client.find_images(series))
    except PacsRefused:
        return frozenset()
