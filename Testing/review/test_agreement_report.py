"""Agreement on paper: the page, its figures, the tables' cells, and the CSV for programs."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from review.drawn_reads import a_case, a_read, drawn_study, reads_of

pytest.importorskip("statsmodels", reason="the study's packages are not installed here")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from OsteoScreenLib.exchange.review_page import review_page, write_review_page
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
from OsteoScreenLib.review.agreement import words
from OsteoScreenLib.review.agreement.agreement import Agreement, measure_agreement
from OsteoScreenLib.review.agreement.figures import agreement_figures
from OsteoScreenLib.review.agreement.table import COLUMNS, rows, write_agreement_csv
from OsteoScreenLib.review.nouns import Protocol

ALONE = Protocol("Alone", mode="alone")


class Page(HTMLParser):
    """What a browser would fetch, and the words and cells that are read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.headings: list[str] = []
        self.cells: list[str] = []
        self.words = ""
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag
        self.outside += [value for name, value in attrs if name in {"src", "href"} and value and not value.startswith("data:")]

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in != "style":
            self.words += data
        if self._in == "h2":
            self.headings.append(data)
        if self._in == "td":
            self.cells.append(data)


@pytest.fixture(scope="module")
def whole() -> Agreement:
    return measure_agreement(*drawn_study(40, seed=2))


@pytest.fixture(scope="module")
def drawn(whole: Agreement) -> dict[str, bytes]:
    return agreement_figures(whole)


def test_the_page_needs_no_other_file_and_says_what_it_is_for(whole: Agreement, drawn: dict[str, bytes]) -> None:
    text = review_page(whole, ["Two reads do not count."], [("View", "abc")], simulated_model=True, figures=drawn)
    page = Page(text)
    assert page.outside == [] and "<script" not in text
    for sentence in (RESEARCH_USE_ONLY, SIMULATED_TRAINING, "Two reads do not count."):
        assert sentence in page.words
    assert page.headings == [
        "Agreement", "Against the reference", "ROC of confidence", "What seeing the model changes", "Time", "Reads that changed",
        "What this cannot show", "How it came about",
    ]  # fmt: skip
    assert len(re.findall(r'<img src="data:image/png;base64,', text)) == 5
    # The figures that were measured are those that are read.
    for pair in (*whole.between, *whole.within, *whole.with_model, *whole.with_reference):
        assert words.figure(pair.quadratic) in page.cells
    assert words.figure(whole.areas[0].auc) in page.cells
    assert "ab" * 32 in page.words  # the bundle's digest


def test_readers_words_are_escaped() -> None:
    cases = [a_case(1, "o")]
    reads = [a_read("R1", 1, "n"), a_read("R1", 1, "o", phase="second", because="<script>alert(1)</script> & more")]
    text = review_page(measure_agreement(reads, cases, Protocol("<b>Bones</b>")), figures={})
    assert "<script" not in text and "<b>" not in text
    assert "<script>alert(1)</script> & more" in Page(text).cells


def test_without_a_model_and_a_reference_the_sections_are_left_out(tmp_path: Path) -> None:
    agreement = measure_agreement([*reads_of("R1", "nlo"), *reads_of("R2", "nll")], [a_case(k) for k in (1, 2, 3)], ALONE)
    page = Page(write_review_page(tmp_path / "report.html", agreement).read_text(encoding="utf-8"))
    assert page.headings == ["Agreement", "Time", "What this cannot show", "How it came about"]
    assert SIMULATED_TRAINING not in page.words
    assert "Aided reads follow" not in page.words
    assert set(agreement_figures(agreement)) == {"kappa", "time"}


@pytest.mark.parametrize("mode", ["blind", "open", "alone"])
def test_one_read_is_enough_for_a_page(mode: str) -> None:
    protocol = Protocol("One", mode=mode)  # type: ignore[arg-type]
    page = Page(review_page(measure_agreement([a_read("R1", 1, "n")], [a_case(1, "n")], protocol)))
    assert "1 reader locked 1 read of 1 of the study's 1 case." in page.words


def test_the_figures_are_pictures(drawn: dict[str, bytes]) -> None:
    from PIL import Image

    assert set(drawn) == {"kappa", "roc", "counts", "change", "time"}
    for name, png in drawn.items():
        with Image.open(io.BytesIO(png)) as image:
            grey = np.asarray(image.convert("L"))
            assert image.width > 300 and grey.min() < 100 and grey.max() == 255, name


def test_the_csv_holds_every_figure(whole: Agreement, tmp_path: Path) -> None:
    path = write_agreement_csv(tmp_path / "agreement.csv", whole)
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        held = list(reader)
    assert len(held) == len(list(rows(whole)))
    pair = whole.between[0]
    found = [
        row for row in held
        if (row["section"], row["who"], row["against"], row["phase"], row["measure"])
        == ("between readers", pair.one, pair.other, pair.phase, "kappa, weights quadratic")
    ]  # fmt: skip
    assert len(found) == 1 and pair.quadratic is not None and pair.quadratic.interval is not None
    assert [float(found[0][name]) for name in ("value", "low", "high")] == pytest.approx(
        [pair.quadratic.value, *pair.quadratic.interval], rel=1e-5
    )
    assert {row["section"] for row in held} == {
        "between readers", "within readers", "against model", "against reference", "accuracy", "roc", "mrmc", "change", "time",
    }  # fmt: skip
    everyone = {row["measure"]: row for row in held if row["section"] == "change" and row["who"] == "all readers"}
    assert int(everyone["helped (classes)"]["count"]) == whole.changes[-1].classes.helped
    # One figure a line: no two lines say the same of the same.
    keys = [tuple(row[name] for name in COLUMNS[:6]) for row in held]
    assert len(set(keys)) == len(keys)


def test_what_is_not_defined_stays_empty() -> None:
    agreement = measure_agreement([*reads_of("R1", "nn"), *reads_of("R2", "nn")], [a_case(1), a_case(2)], ALONE)
    kappas = [row for row in rows(agreement) if "kappa" in row["measure"]]
    assert len(kappas) == 4 and not any(row.get("value") for row in kappas)
    assert words.tables(agreement)["between"].rows[0][-3:] == ("–", "–", "–")


def test_a_long_list_of_changes_is_cut_and_says_so() -> None:
    cases = [a_case(k) for k in range(1, 251)]
    reads = [*reads_of("R1", "n" * 250), *reads_of("R1", "o" * 250, "second", "o" * 250)]
    table = words.tables(measure_agreement(reads, cases, Protocol("t")))["changed"]
    assert len(table.rows) == 200
    assert table.note == "50 more are in the exported table of reads."
