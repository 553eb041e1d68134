"""All DICOM objects about an analysis: which are written, under which UIDs, and what becomes of images that have none."""

from __future__ import annotations

import errno
import logging
from dataclasses import replace
from pathlib import Path

import nrrd
import numpy as np
import pytest
import slicerio
from exchange.dicom_cases import PLACEMENTS, DicomCase, dicom_case, many_bones
from pydicom import dcmread

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange import results
from OsteoScreenLib.exchange.dicom import objects
from OsteoScreenLib.exchange.dicom.saliency_segments import LEVELS, build_saliency, levels, write_saliency_nrrd
from OsteoScreenLib.exchange.dicom.source import source_image
from OsteoScreenLib.exchange.dicom.uids import ResultUids, result_uids
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.worker.writing import dicom_source


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return dicom_case(tmp_path_factory.mktemp("case"), rotate=90, flip="horizontal", PatientName="Nightingale")


def write(folder: Path, case: DicomCase, **changes: object) -> dict[str, Path]:
    given = {"analysis": case.analysis, "masks": case.masks, **changes}
    return objects.write_dicom(folder, case.path, given["analysis"], case.radiograph, given["masks"], case.overlay)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def written(case: DicomCase, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write(tmp_path_factory.mktemp("out"), case)


def test_all_objects_are_there_and_in_the_study(case: DicomCase, written: dict[str, Path]) -> None:
    assert {name: path.name for name, path in written.items()} == objects.FILES
    assert set(objects.WORDS) == set(objects.FILES)
    source, uids = dcmread(case.path), result_uids(case.source.sop_instance_uid, case.analysis, case.masks)
    made = {name: dcmread(path) for name, path in written.items() if path.suffix == ".dcm"}
    assert {one.StudyInstanceUID for one in made.values()} == {source.StudyInstanceUID}
    assert {str(one.PatientName) for one in made.values()} == {"Nightingale"} and {one.PatientID for one in made.values()} == {
        "SECRET-17"
    }
    assert {made["seg"].SOPInstanceUID, made["sr"].SOPInstanceUID} == {uids.segmentation, uids.report}
    assert {made["sc"].SOPInstanceUID, made["pr"].SOPInstanceUID} == {uids.capture, uids.presentation}
    assert made["saliency"].SOPInstanceUID == uids.saliency
    assert len({one.SeriesInstanceUID for one in made.values()} | {source.SeriesInstanceUID}) == 6
    for one in made.values():
        assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID and "RESEARCH USE ONLY" in one.SeriesDescription


def test_the_same_result_has_the_same_uids_and_any_other_has_others(case: DicomCase) -> None:
    analysis, masks = case.analysis, case.masks
    same = result_uids("1.2.3", analysis, masks)
    assert result_uids("1.2.3", replace(analysis, provenance=replace(analysis.provenance, started="2030")), masks) == same
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in vars(same).values()) and len(set(vars(same).values())) == 5

    def changed(uids: ResultUids) -> set[str]:
        return {kind for kind, uid in vars(uids).items() if uid != getattr(same, kind)}

    everything = set(vars(same))
    assert changed(result_uids("1.2.4", analysis, masks)) == everything
    assert changed(result_uids("1.2.3", analysis, many_bones(masks.shape, seed=1))) == everything
    assert changed(result_uids("1.2.3", analysis, masks.with_facts(edited=frozenset({"T5"})))) == everything
    turned = replace(
        analysis, radiograph=replace(analysis.radiograph, placement=analysis.radiograph.placement.then(quarter_turns=1))
    )
    assert changed(result_uids("1.2.3", turned, masks)) == everything
    other_model = replace(analysis, model=replace(analysis.model, sha256="f" * 64))
    assert changed(result_uids("1.2.3", other_model, masks)) == {"report", "capture", "saliency"}
    other_question = replace(analysis, request=replace(analysis.request, target="normal"))
    assert changed(result_uids("1.2.3", other_question, masks)) == {"report", "capture", "saliency"}
    assert changed(result_uids("1.2.3", analysis, masks, opinion="x")) == {"report"}


def test_what_there_is_nothing_of_is_not_written_and_not_left_over(tmp_path: Path, case: DicomCase) -> None:
    assert set(write(tmp_path, case)) == set(objects.FILES)
    bare = replace(case.analysis, saliency=None, overlap=(), bones=(), covering=None)
    none = BoneMasks.pack({}, case.masks.shape)
    assert set(write(tmp_path, case, analysis=bare, masks=none)) == {"sr", "sc"}
    assert {path.name for path in tmp_path.iterdir()} == {"sr.dcm", "sc.dcm"}
    assert case.analysis.saliency is not None
    empty = replace(case.analysis.saliency, grid=np.zeros_like(case.analysis.saliency.grid))
    assert set(write(tmp_path, case, analysis=replace(case.analysis, saliency=empty))) == {"seg", "sr", "sc", "pr"}


def test_nothing_is_logged_or_printed(
    tmp_path: Path, case: DicomCase, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    levels_before = [logging.getLogger(name).level for name in ("pydicom", "highdicom")]
    with caplog.at_level(logging.DEBUG):
        write(tmp_path, case)  # its patient's name is one that highdicom remarks on
    assert [logging.getLogger(name).level for name in ("pydicom", "highdicom")] == levels_before
    assert "Nightingale" not in caplog.text and capfd.readouterr() == ("", "")


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(
    tmp_path: Path, case: DicomCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("OsteoScreenLib.files.os.fsync", full)
    with pytest.raises(OsteoScreenError, match=r"Could not write seg\.dcm .* No space left on device"):
        write(tmp_path, case)
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_cannot_be_made_costs_none_of_the_others(
    tmp_path: Path, case: DicomCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ValueError("Nightingale")

    monkeypatch.setattr("OsteoScreenLib.exchange.dicom.presentation_state.build_presentation", broken)
    with pytest.raises(OsteoScreenError) as error:
        results.write_analysis(tmp_path, case.analysis, case.radiograph, case.masks, {}, case.source)
    assert str(error.value) == "pr.dcm could not be made; the other results are written."
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"analysis.json", "masks.seg.nrrd", "overlay.png", "report.html", *objects.FILES.values()} - {"pr.dcm"}
    assert "pr.dcm" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_image_that_is_no_dicom_gives_one_sentence(tmp_path: Path, case: DicomCase) -> None:
    plain = replace(case.radiograph, source=replace(case.radiograph.source, format="PNG"))
    with pytest.raises(InputError, match="is no DICOM file, so there are no DICOM objects about it"):
        objects.write_dicom(tmp_path, case.path, case.analysis, plain, case.masks, case.overlay)


def test_without_highdicom_a_note_says_what_to_install(case: DicomCase, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dicom_source(False, case.radiograph) == (None, case.radiograph)
    source, radiograph = dicom_source(True, case.radiograph)
    assert source is not None and radiograph == case.radiograph
    monkeypatch.setattr("OsteoScreenLib.worker.writing.find_spec", lambda name: None)
    source, radiograph = dicom_source(True, case.radiograph)
    assert source is None and "highdicom, which is not installed: install it" in radiograph.notes[-1].text


def test_the_report_page_lists_them(tmp_path: Path, case: DicomCase) -> None:
    files = results.write_analysis(tmp_path, case.analysis, case.radiograph, case.masks, {}, case.source)
    assert set(files) == {"analysis", "masks", "overlay", "report", *objects.FILES}
    page = files["report"].read_text(encoding="utf-8")
    assert all(name in page for name in objects.FILES.values())
    plain = results.write_analysis(tmp_path, case.analysis, case.radiograph, case.masks, {})
    assert "seg.dcm" not in plain["report"].read_text(encoding="utf-8")


def test_levels_are_the_smallest_regions_with_their_share_of_the_mass() -> None:
    values = np.random.default_rng(0).random((70, 90)).astype(np.float32) ** 4
    values /= values.max()
    ordered = np.sort(values.ravel())[::-1].astype(np.float64)
    mass = ordered.cumsum() / ordered.sum()
    found = levels(values)
    assert [level.share for level in found] == list(LEVELS)
    for level in found:
        region = values >= level.threshold
        held = values[region].sum(dtype=np.float64) / ordered.sum()
        assert level.held == pytest.approx(held, abs=1e-6) and level.share <= held < level.share + 0.01
        smallest = int(np.searchsorted(mass, level.share)) + 1
        assert smallest <= region.sum() <= smallest * 1.01 + 1
    assert levels(np.eye(64, dtype=np.float32))[0].threshold > 0  # what holds nothing is in no region


def test_the_saliency_segments_say_what_they_hold(case: DicomCase, written: dict[str, Path]) -> None:
    made, saliency = dcmread(written["saliency"]), case.analysis.saliency
    assert saliency is not None
    stored = case.radiograph.placement.undo(saliency.on_radiograph())
    frames = made.pixel_array.astype(bool)
    assert frames.shape == (3, *case.source.shape)
    assert not (frames[1] & ~frames[0]).any() and not (frames[2] & ~frames[1]).any()  # one inside the other
    for share, frame, segment in zip(LEVELS, frames, made.SegmentSequence, strict=True):
        held = stored[frame].sum(dtype=np.float64) / stored.sum(dtype=np.float64)
        assert held >= share and stored[frame].min() >= stored[~frame].max()
        assert segment.SegmentLabel == f"saliency, top {100 * share:.0f} % of mass"
        assert f"(here {100 * held:.1f} %)" in segment.SegmentDescription and saliency.method in segment.SegmentDescription
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "130404"
        assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == saliency.method


def test_without_a_map_there_are_no_segments(case: DicomCase) -> None:
    with pytest.raises(ValueError, match="no saliency map"):
        build_saliency(case.source, "2.25.1", replace(case.analysis, saliency=None))


@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
def test_the_saliency_volume_lies_where_the_masks_lie(tmp_path: Path, case: DicomCase, rotate: int, flip: str | None) -> None:
    radiograph = read_radiograph(case.path, rotate=rotate, flip=flip)
    saliency = case.analysis.saliency
    assert saliency is not None
    saliency = replace(saliency, radiograph_shape=radiograph.shape)
    path = write_saliency_nrrd(tmp_path / "map.nrrd", source_image(case.path, radiograph), saliency, "a-model")
    volume, header = nrrd.read(str(path))
    truth = radiograph.placement.undo(saliency.on_radiograph(scaled=False))
    assert volume.dtype == np.float32 and volume.shape == (*truth.T.shape, 1)
    assert np.abs(volume[..., 0].T - truth).max() <= 1e-3 * truth.max()
    assert header["OsteoScreen.model"] == "a-model" and header["OsteoScreen.notice"] == "RESEARCH USE ONLY"
    # The geometry of the .seg.nrrd of the untouched image, whichever way the radiograph was turned.
    upright = read_radiograph(case.path)
    results.write_seg_nrrd(tmp_path / "masks.seg.nrrd", many_bones(upright.shape), upright)
    to_lps = np.asarray(slicerio.read_segmentation(str(tmp_path / "masks.seg.nrrd"))["ijkToLPS"])
    assert np.allclose(np.asarray(header["space directions"]).T, to_lps[:3, :3])
    assert np.allclose(header["space origin"], to_lps[:3, 3])


def test_requests_differ_in_uids_only_by_what_they_ask(case: DicomCase) -> None:
    twice = [replace(case.analysis, request=AnalysisRequest(cover=("Spine",), seed=seed)) for seed in (1, 1, 2)]
    reports = [result_uids("1.2.3", one, case.masks).report for one in twice]
    assert reports[0] == reports[1] != reports[2]
