"""One result's resources: the device, the observations and the risk assessment (FHIR R4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.bones.vocabulary import Bone, Code
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.fhir.elements import Element, concept, dicom_identifier, narrative, quantity, shortened, urn_of
from OsteoScreenLib.exchange.overlay import banner
from OsteoScreenLib.exchange.prior_result import PriorResult
from OsteoScreenLib.explain.analysis import BoneEffect, Covering

STATUS = "preliminary"  # nobody answers for it
_IMAGING = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging", "display": "Imaging"}
    ]
}


@dataclass(frozen=True)
class Maker:
    """Makes the resources of one result.

    subject : a Reference to the patient. bones : of the model's body site, by name.
    """

    result: PriorResult
    subject: Element
    bones: dict[str, Bone]

    @property
    def notice(self) -> str:
        """What stands on everything that shows the answer."""
        return banner(self.result.model.simulated_training, self.result.prediction.domain)

    def urn(self, what: str) -> str:
        """The full URL of one resource: the same whenever the same result is written."""
        image, model = self.result.image, self.result.model
        if what == "device":  # one device, whatever images it reads
            return urn_of(what, model.sha256, self.result.software)
        about = image.sop_instance_uid or image.sha256
        return urn_of(what, about, model.sha256, self.result.target, self.result.software, self.result.started)

    def reference(self, what: str, display: str = "") -> Element:
        """A Reference to a resource of this bundle."""
        return {"reference": self.urn(what), **({"display": display} if display else {})}

    @property
    def study(self) -> list[Element]:
        """The imaging study, named by its UID; nothing where the radiograph was no DICOM image."""
        uid = self.result.image.study_instance_uid
        return [{"type": "ImagingStudy", "identifier": dicom_identifier(uid)}] if uid else []

    def device(self) -> Element:
        """The software with the model as a Device."""
        model = self.result.model
        return {
            "resourceType": "Device",
            "text": narrative([f"OsteoScreen with the model {model.title} ({model.id}).", *self.result.statements]),
            "identifier": [{"system": "urn:osteoscreen:model:sha256", "value": model.sha256}, self._identifier("device")],
            "status": "active",
            "manufacturer": "OsteoScreen contributors",
            "deviceName": [{"name": "OsteoScreen", "type": "user-friendly-name"}, {"name": model.title, "type": "model-name"}],
            "modelNumber": model.id,
            "version": [{"value": self.result.software}],
            "note": [{"text": sentence} for sentence in self.result.statements],
        }

    def observations(self) -> dict[str, Element]:
        """Key → Observation: the answer, the T-score, the input check, the effects of bones, the verdict, the reader's opinion."""
        result, prediction = self.result, self.result.prediction
        found = {"answer": self._answer()}
        if prediction.expected_t_score is not None:
            score = quantity(prediction.expected_t_score, terms.T_SCORE_UNIT)
            found["t-score"] = self._observation("t-score", terms.T_SCORE, {"valueQuantity": score})
        if prediction.domain is not None:
            domain = prediction.domain
            found["input"] = self._observation(
                "input",
                terms.INPUT_CHECK,
                {"valueCodeableConcept": concept(terms.LEVELS[domain.level])},
                [
                    _number(terms.DOMAIN_DISTANCE, domain.distance, terms.NO_UNITS),
                    _number(terms.DOMAIN_PERCENTILE, domain.percentile, terms.PERCENT),
                ],
            )
        if result.covering is not None:
            for number, effect in enumerate(result.covering.effects, 1):
                found[f"effect-{number}"] = self._effect(f"effect-{number}", effect, result.covering)
        if result.verdict is not None:
            told = {"valueCodeableConcept": concept(terms.VERDICTS[result.verdict.kind], text=result.verdict.sentence)}
            found["verdict"] = self._observation("verdict", terms.VERDICT, told)
        if result.opinion is not None:
            found["reader"] = self._opinion()
        return found

    def risk(self, basis: list[str]) -> Element:
        """The probabilities at the two operating points as a RiskAssessment. basis : keys of observations."""
        result, prediction = self.result, self.result.prediction
        points, by_point = prediction.operating_points, {one.point: one for one in result.model.performance}
        told = []
        for name, share, threshold in (
            ("osteoporosis", prediction.probabilities["osteoporosis"], points.osteoporosis),
            ("low bone mass", prediction.low_bone_mass, points.low_bone_mass),
        ):
            reasons = [
                f"Probability by the model that the radiograph is of this class, not a risk over time; its operating point is "
                f"{100 * threshold:.1f} %."
            ]
            if name in by_point:
                one = by_point[name]
                reasons.append(
                    f"There its sensitivity was {100 * one.sensitivity:.1f} % of {one.positives} and its specificity "
                    f"{100 * one.specificity:.1f} % of {one.negatives}, measured on {one.measured_on}."
                )
            told.append(
                {
                    "outcome": concept(terms.CLASSES[name]),
                    "probabilityDecimal": shortened(min(100.0 * share, 100.0)),
                    "rationale": " ".join(reasons),
                }
            )
        return {
            "resourceType": "RiskAssessment",
            "text": narrative([self.notice, f"Class at the operating points: {prediction.decision}."]),
            "identifier": [self._identifier("risk")],
            "status": STATUS,
            "method": {"text": f"{result.model.title} ({result.model.id}), OsteoScreen {result.software}"},
            "subject": self.subject,
            "occurrenceDateTime": result.started,
            "performer": self.reference("device"),
            "basis": [self.reference(key) for key in basis] + self.study,
            "prediction": told,
            "note": [{"text": sentence} for sentence in result.statements],
        }

    def _answer(self) -> Element:
        prediction = self.result.prediction
        shares = {**prediction.probabilities, "low bone mass": prediction.low_bone_mass}
        parts = [_number(terms.PROBABILITIES[name], 100.0 * share, terms.PERCENT) for name, share in shares.items()]
        value = {"valueCodeableConcept": concept(terms.CLASSES[prediction.decision])}
        return self._observation("answer", terms.DECISION, value, parts)

    def _effect(self, key: str, effect: BoneEffect, covering: Covering) -> Element:
        site = {"text": ", ".join(effect.bones)}
        if effect.of == "bone" and effect.name in self.bones:
            site = concept(self.bones[effect.name].code, text=effect.name)
        parts = [
            _number(terms.DELTA_LOG_ODDS, effect.delta_log_odds, terms.LOG_ODDS_UNIT),
            _number(terms.P_VARIANT, 100.0 * effect.probability, terms.PERCENT),
            _number(terms.P_REFERENCE, 100.0 * effect.reference_probability, terms.PERCENT),
            _number(terms.COVERED_AREA, effect.area_px, terms.PIXELS),
            _coded(terms.EFFECT_OF, terms.SUBJECTS[effect.of]),
            _coded(terms.TARGET, terms.CLASSES[self.result.target]),
            _coded(terms.MODE, terms.MODES[covering.mode]),
            _coded(terms.FILL, terms.FILLS[covering.fill]),
        ]
        value = {"valueQuantity": quantity(effect.delta_points, terms.PERCENT), "bodySite": site}
        return self._observation(key, terms.DELTA_POINTS, value, parts)

    def _opinion(self) -> Element:
        """The opinion without its free texts, which nobody has looked through for names."""
        read = self.result.opinion
        assert read is not None
        said = read.opinion
        parts = [
            _number(terms.CONFIDENCE, said.confidence, terms.PERCENT),
            _coded(terms.TARGET, terms.CLASSES[read.target]),
            _coded(terms.READER_QUALITY, terms.QUALITIES[said.quality]),
            _coded(terms.READING, terms.READINGS[read.phase]),
            *({"code": concept(terms.FINDING), "valueString": finding} for finding in said.findings),
        ]
        value = {
            "valueCodeableConcept": concept(terms.CLASSES[said.decision]),
            # A code of the study, which leads to no person.
            "performer": [{"type": "Practitioner", "display": f"Reader {read.reader} of a reader study"}],
        }
        made = self._observation("reader", terms.READER_DECISION, value, parts)
        del made["device"]
        return {**made, "issued": read.at}

    def _observation(self, key: str, code: Code, value: Element, parts: list[Element] | None = None) -> Element:
        made: dict[str, Any] = {
            "resourceType": "Observation",
            "text": narrative([self.notice, code.meaning]),
            "identifier": [self._identifier(key)],
            "status": STATUS,
            "category": [_IMAGING],
            "code": concept(code),
            "subject": self.subject,
            "issued": self.result.started,
            **value,
            "note": [{"text": sentence} for sentence in self.result.statements],
            "device": self.reference("device"),
        }
        if self.study:
            made["derivedFrom"] = self.study
        return {**made, "component": parts} if parts else made

    def _identifier(self, key: str) -> Element:
        return {"system": "urn:ietf:rfc:3986", "value": self.urn(key)}


def _number(name: Code, value: float, unit: Code) -> Element:
    return {"code": concept(name), "valueQuantity": quantity(value, unit)}


def _coded(name: Code, value: Code) -> Element:
    return {"code": concept(name), "valueCodeableConcept": concept(value)}
