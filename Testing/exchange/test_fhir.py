"""FHIR: the bundle is valid, says the same numbers, names no patient unless asked, and faults are found."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange.dicom_cases import DicomCase, dicom_case
from exchange.result_cases import prior_result

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.analysis_file import read_result, result_from_table
from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.structured_report import structured_report
from OsteoScreenLib.exchange.prior_result import AboutImage

fhir_resources = pytest.importorskip("fhir.resources", reason="fhir.resources (requirements-gateway.txt) is not installed here")

from OsteoScreenLib.exchange.fhir.report import bundle_of  # noqa: E402
from OsteoScreenLib.exchange.fhir.rules import ELEMENTS  # noqa: E402
from OsteoScreenLib.exchange.fhir.validate import validate  # noqa: E402

IMAGE = AboutImage("1.2.3.4", "1.2.3.5", "1.2.3.6", "ef" * 32, "PA", "CHEST")


@pytest.fixture(scope="module")
def bundle() -> dict[str, Any]:
    return bundle_of(prior_result(image=IMAGE))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return dicom_case(tmp_path_factory.mktemp("case"), PatientName="Nightingale^Florence", PatientID="FN-1820")


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def coded(element: dict[str, Any]) -> str:
    return str(element["coding"][0]["code"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("subject", "transaction"), [(None, False), ("Patient/17", False), ("Patient/17", True)])
def test_every_bundle_is_valid(seed: int, subject: str | None, transaction: bool) -> None:
    made = bundle_of(prior_result(seed, image=IMAGE), subject, transaction)
    assert validate(made) == ()
    assert validate(json.loads(json.dumps(made))) == ()
    assert len(resources(made, "Observation")) == 10 and len(resources(made, "RiskAssessment")) == 1
    assert len(resources(made, "Patient")) == (subject is None)
    assert made["type"] == ("transaction" if transaction else "collection")


def test_what_is_not_known_is_not_there() -> None:
    full = prior_result()
    plain = replace(
        full,
        prediction=replace(full.prediction, domain=None, expected_t_score=None),
        covering=None,
        verdict=None,
        opinion=None,
        model=replace(full.model, site="no site of this version", performance=()),
    )
    made = bundle_of(plain)
    assert validate(made) == ()
    assert len(resources(made, "Observation")) == 1
    assert "imagingStudy" not in resources(made, "DiagnosticReport")[0]


def test_it_says_the_results_numbers(bundle: dict[str, Any]) -> None:
    result = prior_result(image=IMAGE)
    observations = {coded(one["code"]): one for one in resources(bundle, "Observation")}
    answer = observations["DECISION"]
    assert coded(answer["valueCodeableConcept"]) == "312894000"
    shares = {coded(one["code"]): one["valueQuantity"]["value"] for one in answer["component"]}
    assert shares["P-OSTEOPOROSIS"] == pytest.approx(100 * result.prediction.probabilities["osteoporosis"], rel=5e-6)
    assert shares["P-LOW-BONE-MASS"] == pytest.approx(100 * result.prediction.low_bone_mass, rel=5e-6)
    assert observations["T-SCORE"]["valueQuantity"]["value"] == pytest.approx(result.prediction.expected_t_score, rel=5e-6)
    assert coded(observations["INPUT-CHECK"]["valueCodeableConcept"]) == "INPUT-EDGE"
    assert result.covering is not None
    effects = [one for one in resources(bundle, "Observation") if coded(one["code"]) == "DELTA-POINTS"]
    for effect, one in zip(result.covering.effects, effects, strict=True):
        assert one["valueQuantity"]["value"] == pytest.approx(effect.delta_points, rel=5e-6)
        parts = {coded(part["code"]): part for part in one["component"]}
        assert parts["DELTA-LOG-ODDS"]["valueQuantity"]["value"] == pytest.approx(effect.delta_log_odds, rel=5e-6)
        assert (
            coded(parts["MODE"]["valueCodeableConcept"]) == "ADD-BACK"
            and coded(parts["FILL"]["valueCodeableConcept"]) == "FILL-LINEAR"
        )
    (risk,) = resources(bundle, "RiskAssessment")
    told = {coded(one["outcome"]): one for one in risk["prediction"]}
    assert told["64859006"]["probabilityDecimal"] == shares["P-OSTEOPOROSIS"]
    assert "sensitivity was 83.3 % of 192" in told["64859006"]["rationale"]


def test_everything_is_preliminary_and_for_research(bundle: dict[str, Any]) -> None:
    for kind in ("DiagnosticReport", "Observation", "RiskAssessment"):
        for one in resources(bundle, kind):
            assert one["status"] == "preliminary"
            assert "Research use only" in one["text"]["div"] and "simulated" in one["text"]["div"]
    (report,) = resources(bundle, "DiagnosticReport")
    assert report["conclusion"].startswith("Research use only")
    assert "conclusionCode" not in report


def test_references_lead_to_what_is_there(bundle: dict[str, Any]) -> None:
    urls = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    (report,) = resources(bundle, "DiagnosticReport")
    assert [urls[one["reference"]]["resourceType"] for one in report["result"]] == ["Observation"] * 10
    assert urls[report["subject"]["reference"]]["resourceType"] == "Patient"
    (risk,) = resources(bundle, "RiskAssessment")
    assert urls[risk["performer"]["reference"]]["modelNumber"] == "tiny"
    assert report["imagingStudy"][0]["identifier"] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4"}


def test_the_same_result_gives_the_same_bundle(bundle: dict[str, Any]) -> None:
    assert bundle_of(prior_result(image=IMAGE)) == bundle
    other = bundle_of(prior_result(image=replace(IMAGE, sop_instance_uid="1.2.3.7")))
    mine, others = ({entry["fullUrl"]: entry["resource"] for entry in made["entry"]} for made in (bundle, other))
    assert {mine[url]["resourceType"] for url in set(mine) & set(others)} == {"Device"}
    sent = bundle_of(prior_result(image=IMAGE), "Patient/1", transaction=True)
    for entry in sent["entry"]:
        assert entry["request"]["ifNoneExist"].endswith(entry["fullUrl"])
        assert entry["fullUrl"] in [one["value"] for one in entry["resource"]["identifier"]]


def test_it_names_no_patient_unless_asked(tmp_path: Path, case: DicomCase) -> None:
    report = structured_report(case.source, case.analysis, case.masks, None)
    path = save_dicom(tmp_path / "sr.dcm", report, case.source.character_set)
    assert b"Nightingale" in path.read_bytes()  # a DICOM object of the patient
    for result in (read_result(path), result_from_table(json.loads(case.analysis.to_json()))):
        text = json.dumps(bundle_of(result))
        for secret in ("Nightingale", "Florence", "FN-1820", "18200512", "1820-05-12", "A-4711", str(tmp_path)):
            assert secret not in text
        (patient,) = resources(bundle_of(result), "Patient")
        assert set(patient) == {"resourceType", "text"}
        assert json.dumps(bundle_of(result, "https://ehr.example/fhir/Patient/4711")).count("Patient/4711") > 3


def test_a_readers_free_text_stays_out(bundle: dict[str, Any]) -> None:
    text = json.dumps(bundle, ensure_ascii=False)
    assert "Reader R1" in text
    assert "Höhenminderungen" not in text and "pointed at" not in text


def broken(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def apply(bundle: dict[str, Any]) -> dict[str, Any]:
        made = copy.deepcopy(bundle)
        change(made)
        return made

    return apply


def _report(bundle: dict[str, Any]) -> dict[str, Any]:
    return resources(bundle, "DiagnosticReport")[0]


def _risk(bundle: dict[str, Any]) -> dict[str, Any]:
    return resources(bundle, "RiskAssessment")[0]


def _answer(bundle: dict[str, Any]) -> dict[str, Any]:
    return resources(bundle, "Observation")[0]


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "status": (lambda b: _report(b).update(status="done"), "DiagnosticReport.status is no code"),
    "no status": (lambda b: _answer(b).pop("status"), "status"),
    "no subject": (lambda b: _risk(b).pop("subject"), "subject"),
    "unknown element": (lambda b: _answer(b).update(conclusion="x"), "conclusion"),
    "R5's element": (lambda b: _report(b).update(study=[{"display": "x"}]), "study"),
    "wrong type": (lambda b: _answer(b).update(code="DECISION"), "code"),
    "above 100 %": (lambda b: _risk(b)["prediction"][0].update(probabilityDecimal=101), "ras-2"),
    "reason for a value that is there": (
        lambda b: _answer(b).update(dataAbsentReason={"text": "unknown"}),
        "obs-6",
    ),
    "component repeats the code": (lambda b: _answer(b)["component"][0].update(code=_answer(b)["code"]), "obs-7"),
    "two values": (lambda b: _answer(b).update(valueString="osteopenia"), "value"),
    "reference to nowhere": (
        lambda b: _report(b)["result"][0].update(reference="urn:uuid:00000000-0000-4000-8000-000000000000"),
        "not in the bundle",
    ),
    "reference to a device as result": (
        lambda b: _report(b)["result"][0].update(reference=_risk(b)["performer"]["reference"]),
        "refers to a Device",
    ),
    "no address": (lambda b: _report(b)["subject"].update(reference="patient 17"), "ref-1"),
    "no full URL of its own": (lambda b: b["entry"][1].update(fullUrl=b["entry"][0]["fullUrl"]), "bdl-7"),
    "a request in a collection": (lambda b: b["entry"][0].update(request={"method": "POST", "url": "X"}), "bdl-3"),
    "bundle type": (lambda b: b.update(type="list"), "Bundle.type"),
    "total": (lambda b: b.update(total=3), "bdl-1"),
    "no time zone": (lambda b: _report(b).update(issued="2026-01-02T03:04:05"), "issued"),
    "empty list": (lambda b: _answer(b).update(note=[]), "empty"),
    "empty text": (lambda b: _report(b).update(conclusion=" "), "empty"),
    "not finite": (lambda b: _risk(b)["prediction"][0].update(probabilityDecimal=float("nan")), "ecimal"),
    "code system": (lambda b: _answer(b)["code"]["coding"][0].update(system="http://example.org"), "code system"),
    "code with blanks": (lambda b: _answer(b)["code"]["coding"][0].update(code=" A B "), "code"),
    "script in the narrative": (
        lambda b: _answer(b)["text"].update(div='<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'),
        "txt-1",
    ),
    "empty narrative": (
        lambda b: _answer(b)["text"].update(div='<div xmlns="http://www.w3.org/1999/xhtml"><p> </p></div>'),
        "txt-2",
    ),
    "no XHTML": (lambda b: _answer(b)["text"].update(div="<div>open"), "XHTML"),
    "entities": (lambda b: _answer(b)["text"].update(div="<!DOCTYPE x [<!ENTITY a 'b'>]><div>&a;</div>"), "elements and text"),
    "device's name": (lambda b: resources(b, "Device")[0]["deviceName"][0].update(type="nickname"), "deviceName.type"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found(bundle: dict[str, Any], name: str) -> None:
    change, word = FAULTS[name]
    faults = validate(broken(change)(bundle))
    assert any(word in fault for fault in faults), faults


def test_the_rules_know_no_more_than_the_library() -> None:
    """Every element that the rules take for R4's is one of the library's R4B models too: they agree where both speak."""
    from importlib import import_module

    for name, elements in ELEMENTS.items():
        if "." in name or name == "Bundle":
            continue
        model = getattr(import_module(f"fhir.resources.R4B.{name.lower()}"), name)
        fields = {field.alias or key for key, field in model.model_fields.items()} | {"resourceType"}
        assert elements <= fields, (name, elements - fields)
        more = {one for one in fields - elements if not one.startswith("_") and one != "fhir_comments"}
        assert more == set(), (name, more)


def test_wrong_subjects_are_refused() -> None:
    for subject in ("17", "Patient/", "Group/1", "Patient/a b", "ftp://x/Patient/1"):
        with pytest.raises(InputError) as refusal:
            bundle_of(prior_result(), subject)
        assert refusal.value.code == "subject"
    with pytest.raises(InputError, match="needs the patient"):
        bundle_of(prior_result(), transaction=True)


def test_the_command(tmp_path: Path, case: DicomCase) -> None:
    """From analysis.json to a file that is valid; wrong input ends in one sentence and code 2."""
    given = tmp_path / "analysis.json"
    given.write_text(case.analysis.to_json(), encoding="utf-8")
    out = tmp_path / "new" / "report.fhir.json"
    command = [sys.executable, "-m", "OsteoScreenLib.cli"]
    done = subprocess.run([*command, "fhir", str(given), "--out", str(out)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert validate(json.loads(out.read_text(encoding="utf-8"))) == ()
    checked = subprocess.run([*command, "fhir", str(out), "--check"], capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0 and "is valid FHIR R4" in checked.stdout
    out.write_text(out.read_text(encoding="utf-8").replace('"preliminary"', '"done"'), encoding="utf-8")
    checked = subprocess.run([*command, "fhir", str(out), "--check"], capture_output=True, text=True, timeout=120)
    assert checked.returncode == 2 and "DiagnosticReport.status is no code of its value set" in checked.stdout
    shown = subprocess.run([*command, "show-result", str(given), "--json"], capture_output=True, text=True, timeout=120)
    assert json.loads(shown.stdout)["prediction"]["decision"] == case.analysis.prediction.decision
    given.write_text("{}")
    for arguments, words in (
        (["fhir", str(given), "--out", str(out)], "no result of OsteoScreen"),
        (["fhir", str(given)], "with --out"),
        (["fhir", str(given), "--check"], "no FHIR bundle"),
        (["show-result", str(given)], "no result of OsteoScreen"),
    ):
        refused = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)
        assert refused.returncode == 2
        assert len(refused.stderr.strip().splitlines()) == 1 and words in refused.stderr
