"""Whether a bundle is valid FHIR R4, without a network: the library's models, and the rules of `rules` beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.fhir import rules
from OsteoScreenLib.exchange.fhir.elements import SYSTEMS, Element

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_DATE_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?)?)?")
_ABSOLUTE = re.compile(r"(https?://|urn:uuid:|urn:oid:)\S+")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}")
_XHTML = "{http://www.w3.org/1999/xhtml}"
_OTHER_SYSTEMS = {
    "http://terminology.hl7.org/CodeSystem/observation-category": {"imaging"},
    "http://terminology.hl7.org/CodeSystem/v2-0074": {"RAD"},
}


def validate(bundle: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a bundle, each fault with its place; empty when it is valid.

    Raises `InputError` (packages) when fhir.resources is not installed.
    """
    faults = list(_by_models(bundle))
    if faults:  # what follows takes elements for what they should be
        return tuple(faults)
    resources = {str(entry.get("fullUrl")): entry.get("resource") for entry in _entries(bundle)}
    faults += [*_plain(bundle, "Bundle"), *_bundle(bundle)]
    for entry in _entries(bundle):
        resource = entry.get("resource")
        if isinstance(resource, Mapping):
            faults += _resource(resource, resources)
    return tuple(faults)


def read_bundle(path: Path) -> dict[str, Any]:
    """The bundle in a JSON file. Raises `InputError` (bundle) in one sentence when there is none."""
    from OsteoScreenLib.radiograph.limits import printable
    from OsteoScreenLib.radiograph.read import bytes_of

    try:
        bundle = json.loads(bytes_of(path).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        bundle = None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise InputError(f"{printable(path.name)} is no FHIR bundle; name a file that 'osteoscreen fhir' wrote.", code="bundle")
    return bundle


def _by_models(bundle: Mapping[str, Any]) -> Iterator[str]:
    """Types, cardinalities and unknown elements, by fhir.resources."""
    _require()
    from fhir.resources.R4B.bundle import Bundle
    from pydantic import ValidationError

    try:
        Bundle.model_validate(dict(bundle))
    except RecursionError:
        yield "Bundle is nested deeper than any resource"
    except ValidationError as error:
        for one in error.errors():
            yield f"Bundle.{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"


def _require() -> None:
    from importlib.util import find_spec

    if find_spec("fhir") is None or find_spec("fhir.resources") is None:
        raise InputError(
            "FHIR needs one more package (fhir.resources); install it with 'pip install osteoscreen[gateway]', or from "
            "requirements-gateway.txt.",
            code="packages",
        )


def _entries(bundle: Mapping[str, Any]) -> list[Element]:
    entries = bundle.get("entry", [])
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _plain(value: Any, where: str) -> Iterator[str]:
    """JSON of FHIR holds nothing empty, no null, and no number that is none (json.html)."""
    if value is None or value == {} or value == [] or (isinstance(value, str) and not value.strip()):
        yield f"{where} is empty"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is no number"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _plain(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _plain(inner, f"{where}[{number}]")


def _bundle(bundle: Mapping[str, Any]) -> Iterator[str]:
    """bdl-1, bdl-3, bdl-5, bdl-7, bdl-8."""
    yield from _elements(bundle, "Bundle")
    kind = bundle.get("type")
    if "total" in bundle and kind not in {"searchset", "history"}:
        yield "bdl-1: total stands only in a search or history"
    if "timestamp" in bundle and not _INSTANT.fullmatch(str(bundle["timestamp"])):
        yield "Bundle.timestamp is no instant"
    urls = [entry.get("fullUrl") for entry in _entries(bundle)]
    if len(set(urls)) < len(urls) or None in urls:
        yield "bdl-7: every entry needs a full URL of its own"
    for number, entry in enumerate(_entries(bundle)):
        where = f"Bundle.entry[{number}]"
        yield from _elements(entry, "Bundle.entry", where)
        if ("request" in entry) != (kind in {"transaction", "batch", "history"}):
            yield f"bdl-3: {where} has a request just in a transaction, batch or history"
        if "request" in entry and entry["request"].get("method") not in rules.CODES["Bundle.entry.request.method"]:
            yield f"{where}.request.method is no code of its value set"
        if "resource" not in entry and "request" not in entry and "response" not in entry:
            yield f"bdl-5: {where} holds nothing"
        if "/_history/" in str(entry.get("fullUrl")):
            yield f"bdl-8: {where}.fullUrl names a version"


def _resource(resource: Mapping[str, Any], resources: Mapping[str, Any]) -> Iterator[str]:
    kind = str(resource.get("resourceType"))
    if kind not in rules.ELEMENTS:
        yield f"{kind} is no resource that is written here"
        return
    yield from _elements(resource, kind)
    yield from _narrative(resource.get("text"), kind)
    if "issued" in resource and not _INSTANT.fullmatch(str(resource["issued"])):
        yield f"{kind}.issued is no instant"
    for name in ("effectiveDateTime", "occurrenceDateTime"):
        if name in resource and not _DATE_TIME.fullmatch(str(resource[name])):
            yield f"{kind}.{name} is no date and time"
    for name in resource:
        if f"{kind}.{name}" in rules.TARGETS:
            yield from _references(resource[name], f"{kind}.{name}", resources)
    yield from _codings(resource, kind)
    if kind == "Observation":
        yield from _observation(resource)
    if kind == "RiskAssessment":
        yield from _risk(resource)
    if kind == "Device":
        for name in resource.get("deviceName", []):
            if name.get("type") not in rules.CODES["Device.deviceName.type"]:
                yield "Device.deviceName.type is no code of its value set"


def _elements(element: Mapping[str, Any], kind: str, where: str = "") -> Iterator[str]:
    """Elements that R4 knows, those that must be there, and required codes."""
    for name in element:
        if name not in rules.ELEMENTS[kind]:
            yield f"{where or kind}.{name} is no element of R4"
    for name in rules.NEEDED.get(kind, ()):
        if name not in element:
            yield f"{where or kind}.{name} is missing"
    for name in ("status", "type"):
        if f"{kind}.{name}" in rules.CODES and name in element and element[name] not in rules.CODES[f"{kind}.{name}"]:
            yield f"{where or kind}.{name} is no code of its value set"


def _narrative(text: Any, kind: str) -> Iterator[str]:
    """txt-1 and txt-2: XHTML of a few elements, with something to read."""
    if text is None:
        return
    div = str(text.get("div", "")) if isinstance(text, Mapping) else ""
    if "<!" in div or "<?" in div:
        yield f"{kind}.text.div holds more than elements and text"
        return
    try:
        root = ElementTree.fromstring(div)
    except ElementTree.ParseError:
        yield f"{kind}.text.div is no XHTML"
        return
    if root.tag != f"{_XHTML}div" or {node.tag for node in root.iter()} - {f"{_XHTML}div", f"{_XHTML}p"}:
        yield f"txt-1: {kind}.text.div holds other elements than a div of paragraphs"
    if not "".join(root.itertext()).strip():
        yield f"txt-2: {kind}.text.div is empty"


def _references(value: Any, where: str, resources: Mapping[str, Any]) -> Iterator[str]:
    allowed = rules.TARGETS[where]
    for one in value if isinstance(value, list) else [value]:
        if not {"reference", "identifier", "display"} & set(one):
            yield f"{where} refers to nothing"
        kind = one.get("type")
        target = one.get("reference")
        if target is not None:
            if target in resources:
                kind = (resources[target] or {}).get("resourceType")
            elif target.startswith("urn:"):
                yield f"{where} refers to {target}, which is not in the bundle"
            elif not (_ABSOLUTE.fullmatch(target) or _RELATIVE.fullmatch(target)):
                yield f"ref-1: {where} refers to '{target}', which is no address"
            else:
                kind = target.split("/")[-2]
        if allowed and kind is not None and kind not in allowed:
            yield f"{where} refers to a {kind}"


def _codings(value: Any, where: str) -> Iterator[str]:
    """Every coding names a known system and has a code without blanks around it."""
    if isinstance(value, list):
        for inner in value:
            yield from _codings(inner, where)
    elif isinstance(value, Mapping):
        for coding in value.get("coding", []):
            system, code = coding.get("system"), str(coding.get("code", ""))
            if system not in {*SYSTEMS.values(), *_OTHER_SYSTEMS}:
                yield f"{where}: the code system {system} is not known"
            if not code or code != " ".join(code.split()) or code not in _OTHER_SYSTEMS.get(system, {code}):
                yield f"{where}: '{code}' is no code of {system}"
        for key, inner in value.items():
            if key != "coding":
                yield from _codings(inner, f"{where}.{key}")


def _observation(resource: Mapping[str, Any]) -> Iterator[str]:
    """obs-6, obs-7, and at most one value."""
    parts = [resource, *resource.get("component", [])]
    for number, part in enumerate(parts):
        values = rules.VALUES & set(part)
        if number:
            yield from _elements(part, "Observation.component", f"Observation.component[{number - 1}]")
            if not values and "dataAbsentReason" not in part:
                yield f"Observation.component[{number - 1}] has no value"
        if len(values) > 1:
            yield "Observation.value[x] stands twice"
        if values and "dataAbsentReason" in part:
            yield "obs-6: a value that is there has no reason for being absent"
        if "valueQuantity" in part and not isinstance(part["valueQuantity"].get("value"), int | float):
            yield "Observation.valueQuantity has no number"
    own = _codes(resource)
    if any(own & _codes(part) for part in parts[1:]) and rules.VALUES & set(resource):
        yield "obs-7: a component has the code of its observation, which has a value"


def _codes(part: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(str(one.get("system")), str(one.get("code"))) for one in part.get("code", {}).get("coding", [])}


def _risk(resource: Mapping[str, Any]) -> Iterator[str]:
    """ras-2: probabilities are per cent."""
    for number, prediction in enumerate(resource.get("prediction", [])):
        where = f"RiskAssessment.prediction[{number}]"
        yield from _elements(prediction, "RiskAssessment.prediction", where)
        share = prediction.get("probabilityDecimal")
        if share is not None and not 0 <= share <= 100:
            yield f"ras-2: {where}.probabilityDecimal is {share}, and must lie between 0 and 100"
