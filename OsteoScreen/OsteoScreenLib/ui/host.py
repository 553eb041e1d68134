"""The noun `Host`: what the application around the panel offers, Slicer or the desktop window."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Host(Protocol):
    """What the panel and its presenter need of the application around them. Every call is made in the window's thread.

    name : of the application, as the reader knows it ("3D Slicer", "OsteoScreen").
    documentation_url : opened by "Help".
    """

    name: str
    documentation_url: str

    def current_volume_id(self) -> str:
        """MRML id of the volume that the reader looks at; "" when there is none."""
        ...

    def ask_for_image(self) -> str:
        """Path of an image file that the reader chooses; "" when he changed his mind."""
        ...

    def ask_for_folder(self, title: str) -> str:
        """Path of a folder that the reader chooses; "" when he changed his mind."""
        ...

    def worker_python(self) -> Path:
        """The Python that runs the worker process."""
        ...

    def make_ready(self) -> str:
        """Make what an analysis needs available: "" when it is, else one sentence that says what is missing and what to do.

        Inside Slicer this asks for consent and installs; without consent nothing is installed.
        """
        ...

    def edit_masks(self, segmentation_node: Any, radiograph_node: Any) -> bool:
        """Open the host's editor on the bone segmentation, over its radiograph; False where the host has none."""
        ...

    def remember(self, key: str, value: str) -> None:
        """Keep a setting beyond this run."""
        ...

    def remembered(self, key: str, default: str) -> str:
        """A setting that was kept, or `default`."""
        ...

    def status(self, text: str) -> None:
        """Show a short remark in the status bar; "" clears it."""
        ...
