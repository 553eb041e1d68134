"""What is measured of reads that went through readers' stores and were merged is what is measured of the reads themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from review.drawn_reads import drawn_study
from review.kept_reads import store_in

pytest.importorskip("statsmodels", reason="the study's packages are not installed here")
pytest.importorskip("sklearn")

from OsteoScreenLib.review.agreement.agreement import measure_agreement
from OsteoScreenLib.review.agreement.imrmc import read_imrmc, write_imrmc
from OsteoScreenLib.review.agreement.ratings import ratings_of
from OsteoScreenLib.review.project import merged


def test_stored_and_merged_reads_give_the_same_figures(tmp_path: Path) -> None:
    reads, cases, protocol = drawn_study(12, ("R1", "R2"))
    for reader, machine in (("R1", "mA"), ("R2", "mB")):
        with store_in(tmp_path, reader, machine) as store:
            for one in reads:
                if one.reader == reader:
                    store.lock(one.task, one.phase, one.opinion, one.model, one.active_seconds, one.idle_seconds)
    paths = sorted((tmp_path / "reads").glob("*.sqlite"))
    view = merged(paths)
    assert len(view.reads) == len(reads)
    expected = measure_agreement(reads, cases, protocol)
    assert measure_agreement(view.reads, cases, protocol) == expected
    assert measure_agreement(merged(paths[::-1]).reads, cases, protocol) == expected
    ratings = ratings_of(view.reads, cases, protocol)
    assert read_imrmc(write_imrmc(tmp_path / "imrmc.imrmc", ratings)) == ratings_of(reads, cases, protocol)
