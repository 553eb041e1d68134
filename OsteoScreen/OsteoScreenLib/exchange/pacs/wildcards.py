"""Values of a query as they go into an address, for servers that follow RFC 3986 and for those that do not decode it.

Orthanc's DICOMweb plugin (1.7 at least) compares what stands in the address without decoding it, so that neither DOE^JANE nor a
space is ever found. Such a value is asked for once more with the wildcard ? in place of what would be encoded, and the answers
are compared here (PS3.4 C.2.2.2.4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEPT_AS_IT_IS = r"[^A-Za-z0-9._~*?-]"
_WITH_WILDCARDS = ("PatientName", "PatientID", "AccessionNumber")


def plain_query(address: str) -> str:
    """An address whose query leaves the wildcards as they are, and writes a space as %20: both are what RFC 3986 allows anyway."""
    path, mark, query = address.partition("?")
    return path + mark + query.replace("%2A", "*").replace("%3F", "?").replace("+", "%20")


def widened(match: Mapping[str, str]) -> dict[str, str]:
    """Keyword → value that has to match, with ? in place of every character that an address encodes."""
    return {key: re.sub(_KEPT_AS_IT_IS, "?", value) if key in _WITH_WILDCARDS else value for key, value in match.items()}


def fits(match: Mapping[str, str], entry: Mapping[str, str]) -> bool:
    """Whether an entry of keyword → text matches what was really asked for; case does not count, as in names (PS3.4 C.2.2.2.1)."""
    return all(_matches(match[key], entry.get(key, "")) for key in _WITH_WILDCARDS if key in match)


def _matches(pattern: str, text: str) -> bool:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern.rstrip("^ "))
    return re.fullmatch("".join(parts), text.rstrip("^ "), re.IGNORECASE | re.DOTALL) is not None
