"""The result files: the report says what it has to, refers to nothing outside, and no file is ever half there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from bones.quality_doubles import drawn_chest, packed, widened
from builders import make_classifier, make_masks, make_radiograph

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange import report, results
from OsteoScreenLib.explain.analyse import analyse
from OsteoScreenLib.explain.analysis import Analysis, AnalysisRequest, PointPerformance
from OsteoScreenLib.radiograph.radiograph import Note

FILES = {"analysis.json", "overlay.png", "report.html", "masks.seg.nrrd"}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return make_classifier(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def covered(classifier: Classifier) -> Analysis:
    radiograph = make_radiograph().with_notes(
        Note("polarity-corrected", "warning", "The grey values were inverted <b>& so on</b>."),
        Note("no-dicom", "info", "A picture."),
    )
    request = AnalysisRequest(cover=("Spine", "left rib 3"), mode="remove", fill="mean", dilation_px=3)
    return analyse(radiograph, make_masks(), classifier, request)


class Collector(HTMLParser):
    """Attributes that load something, text, and whether every element is closed."""

    VOID = frozenset({"meta", "img", "br", "hr", "input", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "iframe", "object", "embed", "link"}
        self.references += [
            value or "" for name, value in attrs if name in {"src", "href", "srcset", "data", "action", "poster"}
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> Collector:
    collector = Collector()
    collector.feed(html)
    assert collector.open == []
    return collector


@pytest.fixture(scope="module")
def written(covered: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("out")
    files = results.write_analysis(folder, covered, make_radiograph(), make_masks(), {"read": 0.12, "gate": 0.34})
    assert set(files) == {"analysis", "overlay", "report", "masks"}
    yield folder


def test_all_four_files_are_there_and_nothing_else(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == FILES
    assert json.loads((written / "analysis.json").read_text(encoding="utf-8"))["research_use_only"] is True


def test_the_report_refers_to_nothing_outside(written: Path) -> None:
    html = (written / "report.html").read_text(encoding="utf-8")
    collector = parsed(html)
    assert len(collector.references) == 4  # plate, radiograph, colour bar, what the model was shown
    assert all(reference.startswith("data:image/jpeg;base64,") for reference in collector.references)
    style = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"https?:|url\(|@import", style)
    assert "Content-Security-Policy" in html and "prefers-color-scheme: dark" in html and "@media print" in html


def test_the_report_says_what_it_has_to(written: Path, covered: Analysis) -> None:
    text = " ".join(" ".join(parsed((written / "report.html").read_text(encoding="utf-8")).text).split())
    for wanted in (
        "test.dcm", "Research use only · model trained on simulated images · not a medical device", "no evidence about a patient",
        "The grey values were inverted <b>& so on</b>.", "240", "pixel spacing 0.500 mm, calibrated in the patient",
        "view PA by its tags", "osteopenia or worse", "operating points", "Gradient attention for osteoporosis", "scaled within this image",
        "Mode: remove.", "mean (the mean grey of what is not bone), a margin of 3 pixels (1.5 mm)", "Δ points", "Δ log-odds",
        "all chosen bones", "T5", "left rib 3", "Not found:", "right clavicle", "cm²", covered.model.sha256,
        covered.radiograph.source.sha256, "cpu, fp32", "reading 0.12 s", "torch ", "drawn for a test",
    ):  # fmt: skip
        assert wanted in text, wanted
    for name, value in covered.prediction.probabilities.items():
        assert name in text and report.percent(value) in text
    for effect in covered.covering.effects if covered.covering else ():
        assert report.signed(effect.delta_points, 2) in text and report.signed(effect.delta_log_odds, 3) in text


def test_the_report_says_how_far_each_outline_can_be_believed(classifier: Classifier, tmp_path: Path) -> None:
    masks = drawn_chest()
    masks["T7"] = widened(masks["T7"], 3)
    del masks["left rib 8"]
    drawn = packed(masks).with_facts(
        confidence={"T7": 0.417}, left_out={"left rib 8": "out-of-order"}, edited=frozenset({"T6"})
    )
    radiograph = make_radiograph((360, 340))
    results.write_analysis(tmp_path, analyse(radiograph, drawn, classifier), radiograph, drawn)
    text = " ".join(" ".join(parsed((tmp_path / "report.html").read_text(encoding="utf-8")).text).split())
    rows = dict(re.findall(r"\b(T[67]) \(≈\) ([^⚠]*(?:⚠ [a-z ]+)?)", text))
    assert re.search(r"T7 \(≈\) [\d.]+ cm² 0\.42 ⚠ too large", text), rows
    assert re.search(r"T6 \(≈\) [\d.]+ cm² – edited by hand", text), rows
    assert "left rib 8 (out of order)" in text and "right clavicle (≈)" not in text
    assert "counted by position" in text and "learnt on simulated images" in text


def test_the_folder_of_the_file_is_not_told(written: Path) -> None:
    for name in ("report.html", "analysis.json"):
        assert "somewhere" not in (written / name).read_text(encoding="utf-8")


def test_add_back_has_its_own_words(classifier: Classifier, tmp_path: Path) -> None:
    request = AnalysisRequest(cover=("Spine",), mode="add-back", fill="black")
    results.write_analysis(
        tmp_path, analyse(make_radiograph(), make_masks(), classifier, request), make_radiograph(), make_masks()
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Mode: add back." in html and "all bones covered" in html and "Each row shows its bones alone" in html


def test_nothing_found_to_cover_is_said(classifier: Classifier, tmp_path: Path) -> None:
    request = AnalysisRequest(cover=("Humeri",))
    results.write_analysis(
        tmp_path, analyse(make_radiograph(), make_masks(), classifier, request), make_radiograph(), make_masks()
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "None of the chosen bones was found" in html and html.count("data:image/jpeg") == 3


def test_without_covering_and_spacing(classifier: Classifier, tmp_path: Path) -> None:
    radiograph = make_radiograph(spacing=None)
    answer = analyse(radiograph, make_masks(), classifier)
    answer = replace(answer, model=replace(answer.model, simulated_training=False))
    results.write_analysis(tmp_path, answer, radiograph, make_masks())
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "pixel spacing unknown" in html and "cm²" not in html and "Covered bones" not in html
    assert "model trained on simulated images" not in html
    assert "T-score" not in html
    answer = replace(answer, prediction=replace(answer.prediction, expected_t_score=-2.04))
    results.write_analysis(tmp_path, answer, radiograph, make_masks())
    assert "Expected T-score −2.0: a regression on the image" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("probability", "text"), [(0, "0.0 %"), (4e-4, "< 0.1 %"), (0.0504, "5.0 %"), (0.9996, "> 99.9 %"), (1, "100.0 %")]
)
def test_percentages_never_read_as_certain(probability: float, text: str) -> None:
    assert report.percent(probability) == text


@pytest.mark.parametrize(("value", "text"), [(-0.004, "0.00"), (0.004, "0.00"), (-1.256, "−1.26"), (3.1, "+3.10")])
def test_differences_are_signed(value: float, text: str) -> None:
    assert report.signed(value, 2) == text


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_disk_full_at_any_file_leaves_no_half_file(
    covered: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from OsteoScreenLib import files

    whole = files.os.fsync

    def full(descriptor: int) -> None:
        # Linux: the path behind the descriptor tells which file is being finished.
        if Path(f"/proc/self/fd/{descriptor}").resolve().name.endswith(name):
            raise OSError(28, "No space left on device")
        whole(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not tell which file a descriptor is")
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OsteoScreenError, match=rf"^Could not write {re.escape(name)} in .*No space left on device; [^\n]*\.$"):
        results.write_analysis(tmp_path, covered, make_radiograph(), make_masks())
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= FILES - {name}
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


def test_a_segmentation_alone_writes_masks_and_picture(tmp_path: Path) -> None:
    files = results.write_segmentation(tmp_path, make_radiograph(), make_masks())
    assert (
        {path.name for path in tmp_path.iterdir()}
        == {"masks.seg.nrrd", "overlay.png"}
        == {path.name for path in files.values()}
    )


def test_it_says_how_good_the_decision_was_where_the_model_tells(covered: Analysis) -> None:
    model = replace(covered.model, performance=(PointPerformance("osteoporosis", 0.8, 0.75, 60, 352, "412 test images"),))
    assert "There, on" not in report._rule(covered)
    told = report._rule(replace(covered, model=model))
    assert told.endswith("There, on 412 test images, osteoporosis: sensitivity 80.0 % of 60, specificity 75.0 % of 352 images.")
