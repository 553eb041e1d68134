"""Pictures of a radiograph that may leave the machine: what is asked about text in them, and what the answer does."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.privacy.burned_in import TextArea, find_text, masked_pixels
from OsteoScreenLib.radiograph.radiograph import Note, Radiograph

Text = Literal["refuse", "keep", "mask"]
"""What to do with text found in the pixels."""


class TextFound(InputError):
    """Text was found in the pixels, and nobody has said what to do with it. areas : where."""

    def __init__(self, name: str, areas: tuple[TextArea, ...]) -> None:
        super().__init__(
            f"{name} shows what looks like text in {places(areas)}, which may name the patient; choose --text mask to cover it, or "
            "--text keep after a look at the image.",
            "text-found",
        )
        self.areas = areas


def places(areas: tuple[TextArea, ...]) -> str:
    """ "1 place", "3 places"."""
    return "1 place" if len(areas) == 1 else f"{len(areas)} places"


def without_text(radiograph: Radiograph, text: Text, name: str = "The image") -> Radiograph:
    """The radiograph as it is to be drawn, for pictures alone: an analysis looks at the untouched pixels.

    "mask" covers every text area and adds a note "text-masked"; "keep" leaves them and adds a note "text-found" when there are any.
    name : of the image, for the message. Raises `TextFound` (text-found) when text is found and `text` is "refuse".
    """
    if text not in ("refuse", "keep", "mask"):
        raise InputError(f"Text in the pixels can be masked, kept or refused, not '{text}'.", "option")
    areas = find_text(radiograph.pixels)
    if not areas:
        return radiograph
    if text == "refuse":
        raise TextFound(name, areas)
    if text == "mask":
        note = Note(
            "text-masked", "info", f"What looked like text in {places(areas)} of the image was covered in its pictures."
        )
        return replace(radiograph, pixels=masked_pixels(radiograph.pixels, areas)).with_notes(note)
    note = Note("text-found", "info", f"The image shows what looks like text in {places(areas)}; it may name the patient.")
    return radiograph.with_notes(note)
