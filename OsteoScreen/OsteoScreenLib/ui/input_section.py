"""Which radiograph is on the table, what is known of it, and how it lies."""

from __future__ import annotations

from html import escape

from OsteoScreenLib.ui.badges import Badge, badges, facts_line
from OsteoScreenLib.ui.buttons import narrow_button
from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget
from OsteoScreenLib.ui.sections import Section
from OsteoScreenLib.ui.simulate_section import SimulateSection
from OsteoScreenLib.ui.style import SIGNS, WORDS, Colours, css
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.reading import Reading

# Degrees counter-clockwise, as the readers of files take them; None asks the image.
TURNS = [(None, "Automatic"), (0, "As stored"), (90, "90° left"), (270, "90° right"), (180, "180°")]
MIRRORS = [(None, "No"), ("horizontal", "Left to right"), ("vertical", "Top to bottom")]
GREYS = [(None, "Automatic"), (False, "As stored"), (True, "Inverted")]


class InputSection:
    """volume_chosen : (id). open_asked : a file is to be chosen. pacs_asked : one from an archive. overrides_changed : (rotate, flip, invert), None = automatic.

    simulate : the part that makes a radiograph from a CT.
    """

    def __init__(self, parent: Widget) -> None:
        self.volume_chosen: Event[[str]] = Event()
        self.open_asked: Event[[]] = Event()
        self.pacs_asked: Event[[]] = Event()
        self.overrides_changed: Event[[int | None, str | None, bool | None]] = Event()
        self._badges: list[Badge] = []
        self._reading: Reading | None = None
        self._told = -1  # the badge whose sentence is shown

        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)

        row = QtWidgets.QHBoxLayout()
        self._volumes = Choice(self.widget, "The radiograph to analyse", "Choose a radiograph")
        self._volumes.chosen.connect(lambda value: self.volume_chosen.emit(str(value)))
        row.addWidget(self._volumes.widget, 1)
        tip = "Open a DICOM, PNG, JPEG, TIFF, NRRD, NIfTI or MetaImage file"
        self._open = narrow_button(row, self.widget, "Open…", tip, self.open_asked.emit)
        self._pacs = narrow_button(
            row, self.widget, "PACS…", "Search an archive for radiographs and bring them here", self.pacs_asked.emit
        )
        column.addLayout(row)

        self._facts = QtWidgets.QLabel(self.widget)
        self._facts.setWordWrap(True)
        self._facts.setTextFormat(Qt.TextFormat.PlainText)
        self._facts.setToolTip("What the file says about the image")
        column.addWidget(self._facts)

        # One rich text, so that badges flow like words; each is a link, and so reached by mouse and by keyboard.
        self._flow = QtWidgets.QLabel(self.widget)
        self._flow.setWordWrap(True)
        self._flow.setTextFormat(Qt.TextFormat.RichText)
        self._flow.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self._flow.linkHovered.connect(self._on_hovered)
        self._flow.linkActivated.connect(self._on_badge)
        column.addWidget(self._flow)
        self._sentence = QtWidgets.QLabel(self.widget)
        self._sentence.setWordWrap(True)
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        column.addWidget(self._sentence)

        self._placing = Section(
            self.widget, "Position", False, "Say by hand how the image lies where the automatic is wrong", True
        )
        self._turn = Choice(self.widget, "Turn the stored image")
        self._mirror = Choice(self.widget, "Mirror the stored image, before it is turned")
        self._grey = Choice(self.widget, "Grey values: bones must be bright")
        grid = QtWidgets.QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(1)
        for at, (title, choice) in enumerate((("Turn", self._turn), ("Mirror", self._mirror), ("Grey values", self._grey))):
            label = QtWidgets.QLabel(title, self.widget)
            label.setBuddy(choice.widget)
            grid.addWidget(label, 0, at)
            grid.addWidget(choice.widget, 1, at)
            grid.setColumnStretch(at, 1)
            choice.chosen.connect(lambda value: self._tell_overrides())
        self._placing.body_layout.addLayout(grid)
        column.addWidget(self._placing.widget)
        self.simulate = SimulateSection(self.widget)
        column.addWidget(self.simulate.widget)
        self.show_reading(None)

    @property
    def shown_badges(self) -> list[Badge]:
        """The badges from the left."""
        return list(self._badges)

    def show_volumes(self, volumes: list[tuple[str, str]], current_id: str) -> None:
        """Offer these (id, name); "" for none chosen."""
        self._volumes.show(volumes, current_id)

    def show_reading(self, reading: Reading | None) -> None:
        """Show what is known of a radiograph; None clears."""
        self._reading = reading
        self._badges = badges(reading) if reading is not None else []
        self._told = -1
        self._facts.setText(facts_line(reading) if reading is not None else "")
        self._facts.setVisible(reading is not None)
        self._placing.widget.setVisible(reading is not None)
        source = reading.source if reading is not None else None
        rotate, flip, invert = (source.rotate, source.flip, source.invert) if source else (None, None, None)
        self._turn.show(TURNS, rotate)
        self._mirror.show(MIRRORS, None if flip == "none" else flip)
        self._grey.show(GREYS, invert)
        self._say_placing()
        self.restyle()

    def enable(self, enabled: bool) -> None:
        """While a job runs, the radiograph on the table stays."""
        for part in (self._volumes.widget, self._open, self._pacs, self._turn.widget, self._mirror.widget, self._grey.widget):
            part.setEnabled(enabled)
        self.simulate.enable(enabled)

    def restyle(self) -> None:
        """Take the palette's colours again, and the font's height."""
        self._placing.fit()
        colours = Colours.of(self.widget)
        self._facts.setStyleSheet(f"color: {css(colours.dim)};")
        parts = []
        for index, badge in enumerate(self._badges):
            tint = colours.tint(badge.severity)
            # Spaces that do not break keep a short badge in one piece; a long one may break, or it would be cut.
            words = f"{SIGNS[badge.severity]} {badge.title}"
            words = words if len(words) > 36 else words.replace(" ", "\u00a0")
            parts.append(
                f'<a href="{index}" style="text-decoration:none; color:{css(tint.text)};'
                f' background-color:{css(tint.background)};">\u00a0{escape(words)}\u00a0</a>'
            )
        self._flow.setText(f'<div style="line-height:130%;">{"&nbsp; ".join(parts)}</div>' if parts else "")
        self._flow.setVisible(bool(parts))
        self._flow.setAccessibleName("; ".join(_spoken(badge) for badge in self._badges))
        self._tell_badge()

    def _on_hovered(self, link: str) -> None:
        self._flow.setToolTip(_spoken(self._badges[int(link)]) if link else "")

    def _on_badge(self, link: str) -> None:
        index = int(link)
        self._told = -1 if index == self._told else index
        self._tell_badge()

    def _tell_badge(self) -> None:
        told = 0 <= self._told < len(self._badges)
        self._sentence.setText(_spoken(self._badges[self._told]) if told else "")
        self._sentence.setVisible(told)

    def _tell_overrides(self) -> None:
        self._say_placing()
        self.overrides_changed.emit(self._turn.value, self._mirror.value, self._grey.value)

    def _say_placing(self) -> None:
        words = []
        for choice in (self._turn, self._mirror, self._grey):
            words += [choice.label.lower()] if choice.value is not None else []
        self._placing.set_summary(", ".join(words) if words else "automatic")


def _spoken(badge: Badge) -> str:
    return f"{WORDS[badge.severity]}: {badge.sentence}"
