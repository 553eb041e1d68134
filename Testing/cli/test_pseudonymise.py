"""`osteoscreen pseudonymise` and `analyse --pseudonymise` as a user runs them."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from builders import make_classifier_bundle
from cli.test_images import environment, one_sentence, run
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib import cli

PATIENT = {
    "PatientName": "Nightingale^Florence",
    "PatientID": "SECRET-18",
    "StudyDate": "20240229",
    "PatientBirthDate": "18200512",
}
SECRETS = ("Nightingale", "SECRET-18", "20240229", "18200512", "nightingale-file")


def written(picture: np.ndarray) -> np.ndarray:
    """A picture of 12 bits with a name burned into it."""
    shown = (picture >> 4).astype(np.uint8)
    cv2.putText(shown, "NIGHTINGALE F", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    return shown.astype(np.uint16) << 4


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return save(
        data_set(grey_picture(300, 260), WindowCenter=2048, WindowWidth=4096, **PATIENT), tmp_path / "nightingale-file.dcm"
    )


@pytest.fixture
def with_text(tmp_path: Path) -> Path:
    return save(
        data_set(written(grey_picture(400, 420)), WindowCenter=2048, WindowWidth=4096, **PATIENT), tmp_path / "text.dcm"
    )


def pseudonymise(*arguments: str | Path) -> int:
    return cli.main(["pseudonymise", *map(str, arguments)])


def test_copies_and_what_is_said_of_them(
    image: Path, with_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, key = tmp_path / "out", tmp_path / "key.txt"
    (tmp_path / "broken.dcm").touch()
    assert pseudonymise(image, with_text, tmp_path / "broken.dcm", "--out", out, "--key", key, "--json") == 2
    entries = json.loads(capsys.readouterr().out)["images"]
    assert [entry["status"] for entry in entries] == ["copied", "refused", "refused"]
    assert [entry.get("code") for entry in entries] == [None, "text-found", "empty-file"]
    assert pseudonymise(image, with_text, "--out", out, "--key", key, "--text", "mask") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"nightingale-file.dcm: {entries[0]['copy']}" and lines[1].endswith(
        "; what looks like text in 1 place was masked"
    )
    copies = sorted(out.iterdir())
    assert len(copies) == 2 and {path.name.split("_")[0] for path in copies} == {entries[0]["pseudonym"]}
    for copy in copies:
        assert not any(secret.encode() in copy.read_bytes() for secret in SECRETS)


def test_the_key_does_not_lie_among_the_copies(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert pseudonymise(image, "--out", out, "--key", out / "sub" / ".." / "key.txt") == 2
    assert "would lie among the copies" in capsys.readouterr().err and not out.exists()
    assert pseudonymise(image, "--out", out, "--key", image) == 2
    assert one_sentence(capsys.readouterr().err)


@pytest.mark.parametrize(("answer", "kept"), [("y", "masked"), ("k", "kept"), ("n", ""), ("", "")])
def test_text_is_asked_about_on_a_terminal(with_text: Path, tmp_path: Path, answer: str, kept: str) -> None:
    main, side = pty.openpty()
    out = tmp_path / "out"
    arguments = [sys.executable, "-m", "OsteoScreenLib.cli", "pseudonymise", with_text, "--out", out, "--key", tmp_path / "key"]
    process = subprocess.Popen(
        list(map(str, arguments)), stdin=side, stdout=side, stderr=side, env=environment(), close_fds=True
    )
    os.close(side)
    said = ""
    answered, until = False, time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if select.select([main], [], [], 0.1)[0]:
            try:
                said += os.read(main, 4096).decode()
            except OSError:
                break
        if not answered and "leave the image out" in said:
            os.write(main, f"{answer}\n".encode())
            answered = True
    code = process.wait(20)
    os.close(main)
    assert "shows what looks like text in 1 place" in said
    assert code == (0 if kept else 2) and len(list(out.iterdir())) == (1 if kept else 0)


def test_analysing_copies_leaves_nothing_of_the_originals_in_any_result(image: Path, with_text: Path, tmp_path: Path) -> None:
    make_classifier_bundle(tmp_path / "tiny")
    out = tmp_path / "out"
    done = run(
        "analyse",
        image,
        with_text,
        "--out",
        out,
        "--pseudonymise",
        tmp_path / "key",
        "--model",
        tmp_path / "tiny",
        "--dicom",
        "--json",
    )
    assert done.returncode == 2, done.stderr
    first, second = json.loads(done.stdout)["images"]
    assert (first["status"], first["code"], first["path"]) == ("refused", "text-found", str(with_text))
    assert second["status"] == "analysed" and {"seg", "sr", "sc", "pr"} <= set(second["files"])
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) >= 9
    for path in files:
        assert not any(secret in str(path.relative_to(out)) for secret in SECRETS)
        data = path.read_bytes()
        assert not any(secret.encode() in data for secret in SECRETS), path


def test_only_refused_images_end_without_a_model(with_text: Path, tmp_path: Path) -> None:
    done = run("analyse", with_text, "--out", tmp_path / "out", "--pseudonymise", tmp_path / "key", "--text", "refuse")
    assert done.returncode == 2 and "shows what looks like text" in done.stdout


def test_text_in_pictures(with_text: Path, tmp_path: Path) -> None:
    make_classifier_bundle(tmp_path / "tiny")
    refused = run("analyse", with_text, "--out", tmp_path / "a", "--model", tmp_path / "tiny", "--text", "refuse")
    assert refused.returncode == 2 and "text.dcm shows what looks like text" in refused.stdout
    masked = run("analyse", with_text, "--out", tmp_path / "b", "--model", tmp_path / "tiny", "--text", "mask", "--json")
    assert masked.returncode == 0, masked.stderr
    (entry,) = json.loads(masked.stdout)["images"]
    assert "text-masked" in {note["code"] for note in entry["notes"]}
    kept = run("analyse", with_text, "--out", tmp_path / "c", "--model", tmp_path / "tiny", "--json")
    assert entry["probabilities"] == json.loads(kept.stdout)["images"][0]["probabilities"], "only pictures are masked"
    overlays = [cv2.imread(str(tmp_path / name / "overlay.png")) for name in "bc"]
    assert overlays[0].shape == overlays[1].shape and (overlays[0] != overlays[1]).any()


def test_a_secondary_capture_says_that_it_shows_text(with_text: Path, image: Path, tmp_path: Path) -> None:
    make_classifier_bundle(tmp_path / "tiny")
    done = run("analyse", with_text, image, "--out", tmp_path / "a", "--model", tmp_path / "tiny", "--dicom", "--json")
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)["images"]
    found = ["text-found" in {note["code"] for note in entry["notes"]} for entry in entries]
    stated = [pydicom.dcmread(entry["files"]["sc"]).get("BurnedInAnnotation") for entry in entries]
    assert (found, stated) == ([True, False], ["YES", None])


@pytest.mark.parametrize("option", [["--text", "mask"], ["--pseudonymise", "key"]])
def test_a_readers_study_takes_neither(
    image: Path, tmp_path: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["analyse", str(image), "--study", str(tmp_path / "s"), *option]) == 2
    assert "does not go with --study" in capsys.readouterr().err
