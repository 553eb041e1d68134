"""What a PACS answers to C-STORE, and to STOW-RS as a failure reason: both use the same numbers (PS3.7 annex C, PS3.4 B.2.3)."""

from __future__ import annotations

from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable

_DUPLICATE = 0x0111
_WORDS = {
    0x0106: "a value in it is not valid",
    0x0110: "processing failed",
    0x0117: "it is not a valid object",
    0x0122: "its kind (SOP class) is not supported",
    0x0211: "it is not recognised",
    0x0212: "a value in it is mistyped",
}


def stored_or_raise(status: int, name: str, what: str) -> None:
    """Returns when a status says that the object is stored; else raises what it means.

    name : the connection's. what : the file's name, for the sentence.
    """
    if status == 0x0000 or status in (0xB000, 0xB006, 0xB007) or status == _DUPLICATE:
        return
    if status == 0x0124:
        raise NotAllowed(f"{name} does not let us store {what} (status 0x0124); ask its administrator.")
    if 0xA700 <= status <= 0xA7FF:
        raise PacsUnreachable(f"{name} is out of room or resources (status 0x{status:04X}); try again later.")
    if 0xA900 <= status <= 0xA9FF:
        why = "it does not fit its SOP class"
    elif 0xC000 <= status <= 0xCFFF:
        why = "the PACS cannot understand it"
    else:
        why = _WORDS.get(status, "no reason was given")
    code = "transfer-syntax" if status == 0xC122 else "refused"
    raise PacsRefused(f"{name} refused {what}: {why} (status 0x{status:04X}).", code)
