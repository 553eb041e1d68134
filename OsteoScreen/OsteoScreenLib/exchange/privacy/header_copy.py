"""A header → one that says the same about the image and nothing about whom it shows (DICOM PS3.15, Annex E).

The copy is written anew, attribute by attribute, from the outermost data set to the items of its sequences; what no rule lets through
is not in it. Private attributes, overlays, curves and what no dictionary knows are never looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.exchange.privacy.date_shift import moved
from OsteoScreenLib.exchange.privacy.harmless import NUMERIC, described, harmless, known_code
from OsteoScreenLib.exchange.privacy.key import Key
from OsteoScreenLib.exchange.privacy.profile import Action, Options, action_for
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.lookup import table_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Pixels are written by `pixels`, which also decides what their container looks like.
_PIXELS = frozenset({
    "PixelData", "FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "ICCProfile",
    "SpecificCharacterSet",
})  # fmt: skip
_TABLES = frozenset({"ModalityLUTSequence", "VOILUTSequence"})
_BYTES = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_DUMMIES = {"DA": "19000101", "TM": "0000", "DT": "19000101", "AS": "000D", "DS": "0", "IS": "0"}
_DEEPEST = 8
# Type 2 in all images (Patient and General Study modules).
_NEVER_ABSENT = (
    "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName",
)  # fmt: skip
# Sequences of type 2 in images of the DX family; of others an empty one is no conformant value.
_MAY_BE_EMPTY = frozenset({"AcquisitionContextSequence", "AnatomicRegionSequence", "ViewCodeSequence"})


@dataclass(frozen=True)
class Rules:
    """Whom a header is about, and what is done with it. patient : the pseudonym. weeks : by how many its dates move."""

    key: Key
    options: Options
    patient: str
    weeks: int


def copied_header(dataset: Dataset, rules: Rules) -> Dataset:
    """A new data set with what of `dataset` may stay; without pixels, UIDs remapped, dates moved, patient's name and id the pseudonym."""
    copy = _copied(dataset, rules, 0)
    for keyword in _NEVER_ABSENT:
        if keyword not in copy:
            setattr(copy, keyword, None)
    copy.PatientName = copy.PatientID = rules.patient
    return copy


def patient_of(dataset: Dataset, sha256: str) -> str:
    """What tells one patient from another: the patient's id; without one the study, or the file itself.

    sha256 : of the file. Names are not enough, and a birth date is often wrong.
    """
    return header.text(dataset, "PatientID") or header.text(dataset, "StudyInstanceUID") or sha256


def uid_or(rules: Rules, dataset: Dataset, keyword: str, otherwise: str) -> str:
    """The UID that stands for an attribute's, or for `otherwise` where the header has none."""
    return rules.key.uid(header.text(dataset, keyword) or f"{keyword} {otherwise}")


def _copied(dataset: Dataset, rules: Rules, depth: int) -> Dataset:
    from pydicom.dataset import Dataset

    copy = Dataset()
    for keyword, vr, tag in _attributes(dataset):
        if keyword in _PIXELS and depth == 0:
            continue
        if keyword in _TABLES:
            _put_tables(copy, dataset, keyword)
        elif vr == "SQ":
            _put_items(copy, dataset, keyword, tag, rules, depth)
        else:
            _put_value(copy, dataset, keyword, vr, tag, rules)
    return copy


def _attributes(dataset: Dataset) -> Iterator[tuple[str, str, int]]:
    """Keyword, VR of the dictionary and tag of every attribute that the standard names."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    for tag in sorted(dataset.keys()):
        keyword = "" if tag.is_private or tag.element == 0 else keyword_for_tag(tag)
        if keyword and not tag.is_private_creator:
            yield keyword, dictionary_VR(tag).split(" or ")[0], int(tag)


def _put_value(copy: Dataset, dataset: Dataset, keyword: str, vr: str, tag: int, rules: Rules) -> None:
    action = action_for(tag, vr, rules.options)
    if action is Action.REMOVE or vr in _BYTES:
        return
    kept = _values(dataset, keyword, vr, action, rules)
    if vr in {"US", "SS"} and kept:
        vr = "SS" if min(kept) < 0 else "US"
    copy.add_new(tag, vr, kept[0] if len(kept) == 1 else kept or None)


def _values(dataset: Dataset, keyword: str, vr: str, action: Action, rules: Rules) -> list[Any]:
    if action is Action.EMPTY:
        return []
    if action is Action.DUMMY:
        return [rules.key.uid(keyword) if vr == "UI" else _DUMMIES.get(vr, "REMOVED")]
    texts = header.texts(dataset, keyword)
    if vr == "UI":
        return [_uid(text, rules) for text in texts if text]
    if action is Action.MOVE:
        return [text for text in (moved(vr, one, rules.weeks) for one in texts) if text]
    if action is Action.CLEAN:
        return [text for text in (described(" ".join(texts)),) if text]
    if action is Action.KEEP and vr in {"LO", "SH", "LT", "ST", "UT", "UC", "AE"}:
        return texts
    if vr in {"DA", "TM", "DT"}:
        return []
    if vr in {"DS", "IS"} and not texts:  # pydicom refuses what `header` reads
        texts = [f"{number:.10g}" for number in header.numbers(dataset, keyword) if math.isfinite(number)]
    return harmless(keyword, vr, _numbers(dataset, keyword, vr) if vr in NUMERIC else texts)


def _numbers(dataset: Dataset, keyword: str, vr: str) -> list[Any]:
    """Binary numbers, also where an implicit VR left their sign open."""
    found = [one for one in header.numbers(dataset, keyword) if math.isfinite(one)]
    if vr in {"FL", "FD"}:
        return found
    low, high = (-(2**15), 2**16) if vr in {"US", "SS"} else (-(2**31), 2**32) if vr in {"UL", "SL"} else (-(2**63), 2**64)
    return [int(one) for one in found if one == int(one) and low <= one < high]


def _uid(text: str, rules: Rules) -> str:
    """UIDs that the standard itself registers stay; all others are made anew."""
    from pydicom.uid import UID_dictionary

    return text if text in UID_dictionary else rules.key.uid(text)


def _put_items(copy: Dataset, dataset: Dataset, keyword: str, tag: int, rules: Rules, depth: int) -> None:
    action = action_for(tag, "SQ", rules.options)
    if action in {Action.REMOVE, Action.DUMMY} or depth == _DEEPEST:
        return
    kept = []
    for item in header.items(dataset, keyword) if action is not Action.EMPTY else []:
        if "CodeValue" in item or "LongCodeValue" in item or "URNCodeValue" in item:
            written = _coded(item, rules, depth)
        else:
            written = _copied(item, rules, depth + 1)
        if any(element.value not in (None, "", []) for element in written):
            kept.append(written)
    if kept or keyword in _MAY_BE_EMPTY:
        copy.add_new(tag, "SQ", kept)


def _coded(item: Dataset, rules: Rules, depth: int) -> Dataset:
    """A code of a known dictionary with that dictionary's meaning, and its modifiers; else nothing."""
    from pydicom.dataset import Dataset

    found = known_code(item)
    copy = Dataset()
    if found is None:
        return copy
    copy.CodeValue, copy.CodingSchemeDesignator, copy.CodeMeaning = found[0], found[1], found[2][:64]
    for keyword, vr, tag in _attributes(item):
        if vr == "SQ":
            _put_items(copy, item, keyword, tag, rules, depth + 1)
    return copy


def _put_tables(copy: Dataset, dataset: Dataset, keyword: str) -> None:
    """Lookup tables with entries of 16 bits; one that cannot be read stays out, as it does in reading."""
    from pydicom.dataset import Dataset

    signed = header.integer(dataset, "PixelRepresentation") == 1
    syntax = header.text(getattr(dataset, "file_meta", None) or Dataset(), "TransferSyntaxUID")
    written = []
    for item in header.items(dataset, keyword):
        table = table_of(item, signed, syntax != "1.2.840.10008.1.2.2")
        if table is None:
            continue
        first, entries = int(table[0]), table[1].astype("<u2")
        stated = header.numbers(item, "LUTDescriptor")[2]
        kept = Dataset()
        kept.add_new(
            "LUTDescriptor",
            "SS" if first < 0 else "US",
            [entries.size % 65536, first, int(stated) if 8 <= stated <= 16 else 16],
        )
        if keyword == "ModalityLUTSequence":
            kept.ModalityLUTType = "US"
        kept.add_new("LUTData", "OW", entries.tobytes())
        written.append(kept)
    if written:
        copy.add_new(keyword, "SQ", written)
