"""What of a header identifies, for a last look at the copy: the rules of `profile` and `harmless` are one net, this is another.

Every value of the attributes that the profile removes or replaces is looked for in every text that the copy still holds, and then in
the bytes before the pixels, in the encodings in which the original may have written it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from OsteoScreenLib.exchange.privacy.harmless import described, harmless, is_term
from OsteoScreenLib.exchange.privacy.profile import Action, Options, action_for
from OsteoScreenLib.radiograph import header

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

# Shorter values, such as a study id of "1", stand in every header by chance, and shorter numbers in every UID.
_SHORTEST, _SHORTEST_NUMBER = 5, 8
_TEXT = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"})
_OURS = frozenset({"PatientName", "PatientID", "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "SOPClassUID"})
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")


def identifiers_of(dataset: Dataset, options: Options) -> dict[str, str]:
    """Value → name of the attribute that holds it, of all that identify: names whole and in parts, ids, UIDs, texts.

    What the options keep as it is does not count, nor do words of closed lists, which may be somebody's name by chance.
    """
    found: dict[str, str] = {}
    for keyword, vr, text in _texts(dataset, replace(options, characteristics=False)):
        parts = re.split(r"[\^=, ]+", text) if vr == "PN" else []
        for value in (text, *parts):
            if len(value) >= _SHORTEST and not (is_term(value) or described(value) == value.upper()):
                found.setdefault(value, keyword)
    return found


def left_in(copy: Dataset, identifiers: Mapping[str, str]) -> str:
    """The attribute's name of an identifier that a text of the copy still holds, "" when none does."""
    upper = {value.upper(): keyword for value, keyword in identifiers.items()}
    for element in copy.iterall():
        if element.VR not in _TEXT or element.value in (None, "") or element.keyword in _OURS:
            continue
        for text in header.texts(_alone(element), element.keyword):
            held = next((keyword for value, keyword in upper.items() if value in text.upper()), "")
            if held and not (described(text) == text or harmless(element.keyword, element.VR, [text])):
                return held
    return ""


def left_in_bytes(data: bytes, identifiers: Mapping[str, str], original: Dataset) -> str:
    """The same for the bytes of a file before its pixels. original : the header that the identifiers are from, for its encodings."""
    from pydicom.charset import python_encoding

    terms = header.texts(original, "SpecificCharacterSet")
    encodings = {python_encoding[term] for term in terms if term in python_encoding} | set(_ENCODINGS)
    for value, keyword in identifiers.items():
        if value.isdecimal() and len(value) < _SHORTEST_NUMBER:
            continue
        for spelt in {value, value.upper()}:
            encoded = {spelt.encode(encoding, "ignore") for encoding in encodings}
            if any(len(one) >= _SHORTEST and one in data for one in encoded):
                return keyword
    return ""


def _alone(element: DataElement) -> Dataset:
    from pydicom.dataset import Dataset

    holder = Dataset()
    holder.add(element)
    return holder


def _texts(dataset: Dataset, options: Options) -> Iterator[tuple[str, str, str]]:
    """Keyword, VR and each text of the attributes that the basic profile does not let stand, also in sequences."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag
    from pydicom.uid import UID_dictionary

    for tag in sorted(dataset.keys()):
        keyword = "" if tag.is_private else keyword_for_tag(tag)
        if not keyword:
            continue
        vr = dictionary_VR(tag).split(" or ")[0]
        if vr == "SQ":
            for item in header.items(dataset, keyword):
                yield from _texts(item, options)
        elif vr in _TEXT and action_for(int(tag), vr, options) not in {Action.UNLISTED, Action.CLEAN, Action.KEEP}:
            for text in header.texts(dataset, keyword):
                if text not in UID_dictionary:
                    yield keyword, vr, text
