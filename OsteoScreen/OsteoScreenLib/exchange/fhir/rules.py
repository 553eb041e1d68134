"""What FHIR R4 (4.0.1) allows in the resources that are written here: elements, required codes, targets of references.

Taken from the resource pages of https://hl7.org/fhir/R4 (bundle, device, diagnosticreport, observation, patient, riskassessment) and
from their invariants. fhir.resources checks types and cardinalities and refuses unknown elements, of R4B; it checks no codes, no
invariants and no references.
"""

from __future__ import annotations

_RESOURCE = frozenset({"resourceType", "id", "meta", "implicitRules", "language"})
_DOMAIN = _RESOURCE | {"text", "contained", "extension", "modifierExtension"}
_VALUES = frozenset(
    f"value{kind}"
    for kind in (
        "Quantity", "CodeableConcept", "String", "Boolean", "Integer", "Range", "Ratio", "SampledData", "Time", "DateTime", "Period",
    )
)  # fmt: skip
_BACKBONE = frozenset({"id", "extension", "modifierExtension"})

ELEMENTS: dict[str, frozenset[str]] = {
    "Bundle": _RESOURCE | {"identifier", "type", "timestamp", "total", "link", "entry", "signature"},
    "Bundle.entry": _BACKBONE | {"link", "fullUrl", "resource", "search", "request", "response"},
    "Device": _DOMAIN
    | {
        "identifier", "definition", "udiCarrier", "status", "statusReason", "distinctIdentifier", "manufacturer", "manufactureDate",
        "expirationDate", "lotNumber", "serialNumber", "deviceName", "modelNumber", "partNumber", "type", "specialization", "version",
        "property", "patient", "owner", "contact", "location", "url", "note", "safety", "parent",
    },
    "DiagnosticReport": _DOMAIN
    | {
        "identifier", "basedOn", "status", "category", "code", "subject", "encounter", "effectiveDateTime", "effectivePeriod", "issued",
        "performer", "resultsInterpreter", "specimen", "result", "imagingStudy", "media", "conclusion", "conclusionCode", "presentedForm",
    },
    "Observation": _DOMAIN
    | _VALUES
    | {
        "identifier", "basedOn", "partOf", "status", "category", "code", "subject", "focus", "encounter", "effectiveDateTime",
        "effectivePeriod", "effectiveTiming", "effectiveInstant", "issued", "performer", "dataAbsentReason", "interpretation", "note",
        "bodySite", "method", "specimen", "device", "referenceRange", "hasMember", "derivedFrom", "component",
    },
    "Observation.component": _BACKBONE | _VALUES | {"code", "dataAbsentReason", "interpretation", "referenceRange"},
    "Patient": _DOMAIN
    | {
        "identifier", "active", "name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime", "address",
        "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger", "photo", "contact", "communication", "generalPractitioner",
        "managingOrganization", "link",
    },
    "RiskAssessment": _DOMAIN
    | {
        "identifier", "basedOn", "parent", "status", "method", "code", "subject", "encounter", "occurrenceDateTime", "occurrencePeriod",
        "condition", "performer", "reasonCode", "reasonReference", "basis", "prediction", "mitigation", "note",
    },
    "RiskAssessment.prediction": _BACKBONE
    | {
        "outcome", "probabilityDecimal", "probabilityRange", "qualitativeRisk", "relativeRisk", "whenPeriod", "whenRange", "rationale",
    },
}  # fmt: skip

VALUES = _VALUES

_OBSERVATION_STATUS = frozenset(
    {"registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"}
)
# Bindings of strength "required".
CODES: dict[str, frozenset[str]] = {
    "Bundle.type": frozenset(
        {
            "document", "message", "transaction", "transaction-response", "batch", "batch-response", "history", "searchset", "collection",
        }
    ),
    "Device.status": frozenset({"active", "inactive", "entered-in-error", "unknown"}),
    "Device.deviceName.type": frozenset(
        {"udi-label-name", "user-friendly-name", "patient-reported-name", "manufacturer-name", "model-name", "other"}
    ),
    "DiagnosticReport.status": frozenset(
        {
            "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled", "entered-in-error", "unknown",
        }
    ),
    "Observation.status": _OBSERVATION_STATUS,
    "RiskAssessment.status": _OBSERVATION_STATUS,
    "Bundle.entry.request.method": frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}),
}  # fmt: skip

# Elements that must be there.
NEEDED: dict[str, tuple[str, ...]] = {
    "Bundle": ("type",),
    "DiagnosticReport": ("status", "code"),
    "Observation": ("status", "code"),
    "Observation.component": ("code",),
    "RiskAssessment": ("status", "subject"),
}

_ANYONE = frozenset({"Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson"})
# What a reference may lead to, of the references that are written here.
TARGETS: dict[str, frozenset[str]] = {
    "DiagnosticReport.subject": frozenset({"Patient", "Group", "Device", "Location"}),
    "DiagnosticReport.result": frozenset({"Observation"}),
    "DiagnosticReport.imagingStudy": frozenset({"ImagingStudy"}),
    "Observation.subject": frozenset({"Patient", "Group", "Device", "Location"}),
    "Observation.performer": _ANYONE,
    "Observation.device": frozenset({"Device", "DeviceMetric"}),
    "Observation.derivedFrom": frozenset(
        {"DocumentReference", "ImagingStudy", "Media", "QuestionnaireResponse", "Observation", "MolecularSequence"}
    ),
    "RiskAssessment.subject": frozenset({"Patient", "Group"}),
    "RiskAssessment.performer": frozenset({"Practitioner", "PractitionerRole", "Device"}),
    "RiskAssessment.basis": frozenset(),  # anything
}
