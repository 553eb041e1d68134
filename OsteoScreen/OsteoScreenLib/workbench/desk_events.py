"""What the desk tells of."""

from __future__ import annotations

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.workbench.answers import Patch, Question
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.reading import Reading, Result


class DeskEvents:
    """The events of a desk.

    opened, analysed, covered, saved, masks_read : what has come back. explained : a heatmap, and its overlap with the bones. simulated : the new DICOM file. model_added : its id and title.
    answered : new numbers are in the answers; True when they are those of controls. devices_known : words of the devices that can be chosen, the best first.
    progressed : (sentence, fraction from 0 to 1, seconds left or None) of the job. busy_changed : a job has begun or ended.
    text_found : what was seen, in words; nothing was saved, and is saved once it is said what becomes of the text.
    not_stored : one sentence; the case on the table has stored results only, and what was asked is not among them.
    failed : (one sentence, details for a log). logged : a line for the log.
    """

    def __init__(self) -> None:
        self.opened: Event[[Reading]] = Event()
        self.analysed: Event[[Reading, Result]] = Event()
        self.answered: Event[[bool]] = Event()
        self.covered: Event[[Question, Patch]] = Event()
        self.explained: Event[[SaliencyMap, tuple[Overlap, ...]]] = Event()
        self.saved: Event[[dict[str, str]]] = Event()
        self.text_found: Event[[str]] = Event()
        self.masks_read: Event[[BoneMasks]] = Event()
        self.model_added: Event[[str, str]] = Event()
        self.simulated: Event[[str]] = Event()
        self.devices_known: Event[[list[str]]] = Event()
        self.progressed: Event[[str, float, float | None]] = Event()
        self.busy_changed: Event[[bool]] = Event()
        self.not_stored: Event[[str]] = Event()
        self.failed: Event[[str, str]] = Event()
        self.logged: Event[[str]] = Event()
