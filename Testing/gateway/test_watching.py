"""A watched server: everything new is fetched once, whatever is not usable is not asked for again and again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_parts import CR, LIMITS, QuickAnalyser, QuickCourier, as_file, quiet, radiograph, settings, wait_for

from OsteoScreenLib.exchange.pacs.faults import PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.query import FoundImage, FoundSeries, Listing, Query
from OsteoScreenLib.gateway.service import Gateway
from OsteoScreenLib.gateway.settings import Watching


class Server:
    """A PACS of images in memory, as a client shows it. away : nobody answers. fails : UID → what retrieving raises."""

    def __init__(self, says_how_many: bool = True) -> None:
        self.images: dict[str, list[tuple[str, bytes]]] = {}
        self.asked: Counter[str] = Counter()
        self.queries: list[Query] = []
        self.fails: dict[str, Exception] = {}
        self.away, self._says_how_many = False, says_how_many

    def add(self, series: str, uid: str | None = None, **changes: Any) -> str:
        """A new radiograph of a series; its UID."""
        dataset = radiograph(uid, **changes)
        self.images.setdefault(series, []).append((str(dataset.SOPInstanceUID), as_file(dataset)))
        return str(dataset.SOPInstanceUID)

    def __enter__(self) -> Server:
        if self.away:
            raise PacsUnreachable("Nobody is there.")
        return self

    def __exit__(self, *_: object) -> None: ...

    def find_series(self, query: Query, most: int) -> Listing:
        """All series."""
        self.queries.append(query)
        counts = {series: len(images) if self._says_how_many else None for series, images in self.images.items()}
        return Listing(tuple(FoundSeries("1.2", series, "CR", count) for series, count in counts.items()))

    def find_images(self, series: FoundSeries) -> tuple[FoundImage, ...]:
        """Those of a series."""
        self.asked[series.series_uid] += 1
        return tuple(FoundImage("1.2", series.series_uid, uid, CR, "CR") for uid, _ in self.images[series.series_uid])

    def retrieve(self, image: FoundImage, path: Path, largest: int) -> None:
        """One of them."""
        self.asked[image.uid] += 1
        if image.uid in self.fails:
            raise self.fails[image.uid]
        path.write_bytes(dict(self.images[image.series_uid])[image.uid])


def _gateway(folder: Path, server: Any, **changes: Any) -> Gateway:
    changed = settings(folder, listening=None, watching=Watching("pacs", seconds=0.1, days=3), **changes)
    return Gateway(changed, [QuickAnalyser()], QuickCourier(), lambda: server, quiet()[0])


def test_new_images_are_fetched_once_also_over_a_restart(tmp_path: Path) -> None:
    server = Server()
    first = [server.add("1.1"), server.add("1.1"), server.add("1.3")]
    with _gateway(tmp_path, server) as gateway:
        wait_for(lambda: gateway.counts()["done"] == 3)
        first.append(server.add("1.1"))
        wait_for(lambda: gateway.counts()["done"] == 4)
    second = server.add("1.4")
    with _gateway(tmp_path, server) as gateway:
        wait_for(lambda: gateway.counts()["done"] == 5)
    assert all(server.asked[uid] == 1 for uid in (*first, second))
    days = date.today() - timedelta(days=2)
    assert {query.date for query in server.queries} == {f"{days:%Y%m%d}-"}
    assert {query.modalities for query in server.queries} == {("CR", "DX")}


@pytest.mark.parametrize("says_how_many", [True, False])
def test_a_series_is_looked_into_again_only_when_it_has_grown_or_nobody_says(tmp_path: Path, says_how_many: bool) -> None:
    server = Server(says_how_many)
    server.add("1.1")
    with _gateway(tmp_path, server) as gateway:
        wait_for(lambda: gateway.counts()["done"] == 1 and len(server.queries) >= 5)
    assert (server.asked["1.1"] == 1) is says_how_many


def test_what_is_refused_or_broken_is_remembered_and_the_others_are_fetched(tmp_path: Path) -> None:
    server = Server()
    refused, large, wrong, good = server.add("1.1"), server.add("1.1"), server.add("1.1"), server.add("1.1")
    server.fails = {refused: PacsRefused("No.", "not-there"), large: PacsRefused("Too large.", "too-large")}
    server.images["1.1"][2] = (wrong, b"no DICOM")
    with _gateway(tmp_path, server) as gateway:
        wait_for(lambda: gateway.counts()["done"] == 1 and gateway.counts()["refused"] == 3 and len(server.queries) >= 5)
    assert all(server.asked[uid] == 1 for uid in (refused, large, wrong, good))


def test_a_server_that_is_away_is_asked_again(tmp_path: Path) -> None:
    server = Server()
    uid = server.add("1.1")
    server.away = True
    with _gateway(tmp_path, server) as gateway:
        wait_for(lambda: gateway._watcher is not None and gateway._watcher.alive)
        server.away = False
        server.fails = {uid: PacsUnreachable("Busy.")}
        wait_for(lambda: server.asked[uid] >= 2)
        server.fails = {}
        wait_for(lambda: gateway.counts()["done"] == 1)


def test_nothing_is_fetched_onto_a_full_disk(tmp_path: Path) -> None:
    server = Server()
    uid = server.add("1.1")
    with _gateway(tmp_path, server, limits=replace(LIMITS, reserve_bytes=2**60)) as gateway:
        wait_for(lambda: len(server.queries) >= 3)
        assert server.asked[uid] == 0 and not any(gateway.counts().values())


def test_a_uid_that_is_a_path_is_not_fetched_into_it(tmp_path: Path) -> None:
    server = Server()
    server.images["1.1"] = [("../../evil", as_file(radiograph("1.2.3")))]
    server.add("1.1")
    with _gateway(tmp_path / "queue", server) as gateway:
        wait_for(lambda: gateway.counts()["done"] == 1 and len(server.queries) >= 3)
    assert not list(tmp_path.rglob("*evil*"))
    assert server.asked["../../evil"] == 1  # and is not asked for again
