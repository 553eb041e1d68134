"""The cases that are in the scene: which is on the table, how they get there, how they leave, how they come back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.volume_image import image_of
from OsteoScreenLib.workbench import saved_case
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.reading import ImageSource, Reading


@dataclass(frozen=True)
class Place:
    """One case: its state, its nodes, and the reader's own volume node that it was taken from (None for a file).

    stays : it came with others, and does not make room for the next before it was analysed.
    """

    case: Case
    scene: SceneCase
    volume: Any = None
    stays: bool = False

    def source(self) -> ImageSource:
        """Where its image comes from; a case of a reopened scene gets its volume's pixels again."""
        source = self.case.reading.source
        if source.path or source.array is not None or self.volume is None or self.volume.GetScene() is None:
            return source
        image = image_of(self.volume)
        header = image.header_path or source.header_path
        return replace(source, array=image.array, spacing_mm=image.spacing_mm, header_path=header)

    def is_of(self, source: ImageSource, volume: Any) -> bool:
        """The same file or volume, perhaps turned by hand."""
        if volume is not None or self.volume is not None:
            return volume is self.volume
        return bool(source.path) and source.path == self.case.reading.source.path


class Shelf:
    """Cases by token; at most one of them, `current`, is on the table.

    changed : (token, part) as a case's own `changed`.
    """

    def __init__(self, answers: Answers) -> None:
        self.changed: Event[[str, str]] = Event()
        self.token = ""
        self._answers = answers
        self._places: dict[str, Place] = {}

    def __contains__(self, token: str) -> bool:
        return token in self._places

    def __iter__(self) -> Iterator[Place]:
        return iter(tuple(self._places.values()))

    @property
    def current(self) -> Place | None:
        """What is on the table."""
        return self._places.get(self.token)

    def place(self, token: str) -> Place | None:
        """The case with this token."""
        return self._places.get(token)

    def make(self, reading: Reading, volume: Any = None, stays: bool = False) -> Place:
        """Put a new radiograph on the table. One that was only looked at, and did not come with others, leaves the scene for it."""
        for place in self:
            if place.case.result is None and not place.stays:
                self.forget(place.case.token)
        case = Case(reading, self._answers)
        scene = SceneCase.create(reading.source.name, reading.pixels, reading.spacing_mm, volume, case.token)
        return self._add(Place(case, scene, volume, stays))

    def put(self, place: Place) -> Place:
        """Put a case that has its nodes already on the table."""
        return self._add(place)

    def choose(self, token: str) -> None:
        """Put another case on the table."""
        self.token = token

    def forget(self, token: str) -> Place | None:
        """Take a case off the shelf and its nodes out of the scene; the reader's own volume stays."""
        place = self._places.pop(token, None)
        if place is not None:
            place.scene.remove()
        if token == self.token:
            self.token = ""
        return place

    def clear(self) -> None:
        """The scene is closed, and every node with it."""
        self._places.clear()
        self.token = ""

    def save(self) -> None:
        """Write every case's state into its node, so that a saved scene brings it back."""
        for place in self:
            if place.scene.is_whole():
                place.scene.set_state(saved_case.to_json(place.case))

    def take_from_scene(self) -> tuple[int, list[str]]:
        """Put the saved cases of the scene on the shelf, the last of them on the table.

        Returns how many came back, and a sentence for each that could not.
        """
        known = {place.scene for place in self}
        count, problems = 0, []
        for scene in SceneCase.all_in_scene():
            if scene in known or not scene.is_whole():
                continue
            masks = scene.bone_masks(saved_case.site_of(scene.state)) if scene.segmentation is not None else None
            try:
                case = saved_case.from_json(scene.state, scene.pixels(), masks, self._answers, scene.token)
            except OsteoScreenError as error:
                problems.append(f"{scene.name}: {error}")
                continue
            self._add(Place(case, scene, scene.source_volume))
            count += 1
        return count, problems

    def _add(self, place: Place) -> Place:
        token = place.case.token
        self._places[token] = place
        self.token = token
        place.case.changed.connect(lambda part: self.changed.emit(token, part))
        return place
