"""A result as a FHIR R4 Bundle: a DiagnosticReport with its Observations, a RiskAssessment and the Device that made them.

The resources go through fhir.resources' models of R4B, the only R4 line that library keeps; HL7 states that outside of the modules
that R4B changed (medication definitions, evidence, subscriptions) it agrees with R4, and `validate` holds every element used to R4's
own list. The report is preliminary, and every resource says what it is not for.
"""

from __future__ import annotations

import json
import re
from typing import Any

from OsteoScreenLib.bones.vocabulary import Bone, Code, site_named
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange.fhir.elements import Element, concept, narrative
from OsteoScreenLib.exchange.fhir.resources import STATUS, Maker
from OsteoScreenLib.exchange.prior_result import PriorResult

IMAGING_REPORT = Code("18748-4", "Diagnostic imaging study", "LN")
_RADIOLOGY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD", "display": "Radiology"}]}
_SUBJECT = re.compile(r"(https?://[^\s]+/)?Patient/[A-Za-z0-9.-]{1,64}")


def bundle_of(result: PriorResult, subject: str | None = None, transaction: bool = False) -> dict[str, Any]:
    """The bundle as JSON values, validated.

    Parameters
    ----------
    subject : the patient on the record's server, as "Patient/ID" or a URL; without it the bundle has a patient without any identifier.
    transaction : a bundle that a server takes as it is: each resource is made once, however often it is sent. Needs a subject.

    Raises
    ------
    InputError
        One sentence: fhir.resources is missing (packages), the subject is no reference to a patient (subject).
    """
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise InputError(f"'{subject}' names no patient of a FHIR server; write Patient/ID.", code="subject")
    if transaction and subject is None:
        raise InputError("A transaction needs the patient it is about; name it with --subject Patient/ID.", code="subject")
    maker = Maker(result, {"reference": subject}, _bones(result.model.site))
    if subject is None:
        maker = Maker(result, maker.reference("patient", "Patient without identifiers"), maker.bones)
    observations = maker.observations()
    resources: dict[str, Element] = {"report": _report(maker, list(observations))}
    if subject is None:
        resources["patient"] = {"resourceType": "Patient", "text": narrative(["A patient without identifiers."])}
    resources |= {"device": maker.device(), **observations, "risk": maker.risk(list(observations))}
    entries = []
    for key, resource in resources.items():
        entry: Element = {"fullUrl": maker.urn(key), "resource": resource}
        if transaction:
            known = f"identifier=urn:ietf:rfc:3986|{maker.urn(key)}"
            entry["request"] = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": known}
        entries.append(entry)
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction" if transaction else "collection",
        **({} if transaction else {"timestamp": result.started}),
        "entry": entries,
    }
    return _through_models(bundle)


def _report(maker: Maker, observations: list[str]) -> Element:
    result = maker.result
    decision = result.prediction.decision
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in result.prediction.probabilities.items())
    sentences = [*result.statements, f"Class at the model's operating points: {decision} ({shares})."]
    if result.verdict is not None:
        sentences.append(result.verdict.sentence)
    made: Element = {
        "resourceType": "DiagnosticReport",
        "text": narrative([maker.notice, *sentences]),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": maker.urn("report")}],
        "status": STATUS,
        "category": [_RADIOLOGY],
        "code": concept(IMAGING_REPORT, text="OsteoScreen: opportunistic osteoporosis screening, research use only"),
        "subject": maker.subject,
        "issued": result.started,
        "result": [maker.reference(key) for key in observations],
        # In words alone: a coded conclusion may find its way into a list of diagnoses.
        "conclusion": " ".join(sentences),
    }
    return {**made, "imagingStudy": maker.study} if maker.study else made


def _bones(site: str) -> dict[str, Bone]:
    try:
        return site_named(site).by_name
    except InputError:  # a site of a later version: its bones are named, not coded
        return {}


def _through_models(bundle: Element) -> dict[str, Any]:
    """The bundle as the library's models write it, and as R4 allows it."""
    from OsteoScreenLib.exchange.fhir.validate import validate

    faults = validate(bundle)
    if faults:
        raise OsteoScreenError(f"The FHIR resources of this result are not valid ({faults[0]}); report this with the result.")
    written: dict[str, Any] = json.loads(_model(bundle))
    return written


def _model(bundle: Element) -> str:
    from fhir.resources.R4B.bundle import Bundle

    text: str = Bundle.model_validate(bundle).model_dump_json()
    return text
