"""The events that the rooms of the window speak with; rooms below, as the review, use the same ones."""

from __future__ import annotations

from OsteoScreenLib.events import Arguments, Event

__all__ = ["Arguments", "Event"]
