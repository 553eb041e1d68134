"""The data types that resources are made of (FHIR R4, datatypes.html), as plain JSON values."""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterable
from typing import Any

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.exchange.dicom.codes import PRIVATE_SCHEME

Element = dict[str, Any]

PRIVATE_SYSTEM = "urn:osteoscreen:codes"
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    PRIVATE_SCHEME: PRIVATE_SYSTEM,
}
SIGNIFICANT_DIGITS = 6
_NAMESPACE = uuid.UUID("f0d4d1c7-2d1b-5f0a-8c0b-6c5d8a1c9f3e")


def concept(*codes: Code, text: str = "") -> Element:
    """A CodeableConcept."""
    found: Element = {"coding": [coding(SYSTEMS[code.scheme], code.value, code.meaning) for code in codes]} if codes else {}
    return {**found, "text": text or codes[0].meaning}


def coding(system: str, code: str, display: str) -> Element:
    """A Coding."""
    return {"system": system, "code": code, "display": display}


def quantity(value: float, unit: Code) -> Element:
    """A Quantity in a unit of UCUM; the value has six significant digits, whole numbers are exact."""
    return {"value": shortened(value), "unit": unit.meaning, "system": SYSTEMS["UCUM"], "code": unit.value}


def shortened(value: float) -> float | int:
    """The number in six significant digits."""
    return value if isinstance(value, int) else float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def dicom_identifier(uid: str) -> Element:
    """How FHIR names a DICOM UID (imagingstudy.html)."""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def urn_of(*parts: str) -> str:
    """A URN that is the same for the same parts (RFC 9562, version 5)."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, ''.join(f'{len(part)}:{part}' for part in parts))}"


def narrative(paragraphs: Iterable[str]) -> Element:
    """A generated Narrative."""
    body = "".join(f"<p>{html.escape(text, quote=False)}</p>" for text in paragraphs if text)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'}
