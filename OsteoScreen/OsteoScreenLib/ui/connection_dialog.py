"""The form behind "Add…": how an archive is reached. What is typed as a password is kept only where the reader asks for it."""

from __future__ import annotations

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget, get
from OsteoScreenLib.ui.sentence_line import SentenceLine
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_nouns import NewConnection

_KINDS = (("dicomweb", "DICOMweb (an https address)"), ("dimse", "DIMSE (host, port and AE titles)"))
_AUTHS = (("none", "None"), ("basic", "User and password"), ("token", "Token"))
_BOTH, _WEB, _DIMSE = ("dicomweb", "dimse"), ("dicomweb",), ("dimse",)

# name of the field in a connection, title, example, tip, kinds that have it
_TEXTS = (
    ("name", "Name", "hospital", "What you call it: letters, digits, dots, dashes and underscores", _BOTH),
    ("url", "Address", "https://pacs.example/dicom-web", "The DICOMweb service", _WEB),
    ("host", "Host", "pacs.example", "The computer that runs the archive", _DIMSE),
    ("port", "Port", "104", "Where the archive listens", _DIMSE),
    ("called_aet", "Its AE title", "ANY-SCP", "The archive's application entity title", _DIMSE),
    ("calling_aet", "Our AE title", "OSTEOSCREEN", "Under which the archive knows this computer", _DIMSE),
    ("user", "User", "", "For the archive's sign-in", _WEB),
)
_FILES = (
    ("ca", "Trusted certificates", "A PEM file with which the archive's certificate is checked; empty for this computer's own"),
    ("certificate", "Our certificate", "A PEM file, where the archive asks for one"),
    ("key", "Its key", "A PEM file, where the archive asks for a certificate of ours"),
)


class ConnectionDialog:
    """add_asked : (what was written). The window stays until its presenter closes it, so that a refusal can be mended."""

    def __init__(self, parent: Widget) -> None:
        self.add_asked: Event[[NewConnection]] = Event()
        self._tls = self._keep = False
        self.widget = QtWidgets.QDialog(parent)
        self.widget.setWindowTitle("Add an archive")
        self.widget.setModal(True)
        self.widget.resize(560, 420)
        column = QtWidgets.QVBoxLayout(self.widget)
        self._message = SentenceLine(self.widget)
        column.addWidget(self._message.widget)
        self._grid = QtWidgets.QGridLayout()
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[tuple[Widget, ...], tuple[str, ...]]] = []  # widgets of a row, and kinds of archive that have it
        self._fields: dict[str, Widget] = {}
        self._kind = Choice(self.widget, "How the archive is spoken to")
        self._kind.show(_KINDS, "dicomweb")
        self._kind.chosen.connect(lambda value: self._fit())
        self._add_row("Kind", self._kind.widget, _BOTH)
        for name, title, hint, tip, kinds in _TEXTS:
            if name == "user":
                self._auth = Choice(self.widget, "How the archive knows you")
                self._auth.show(_AUTHS, "none")
                self._auth.chosen.connect(lambda value: self._fit())
                self._add_row("Sign-in", self._auth.widget, _WEB)
            self._add_row(title, self._field(name, hint, tip, title), kinds)
        self._secret = self._field("secret", "", "Typed here or asked for later", "Password or token")
        self._secret.setEchoMode(QtWidgets.QLineEdit.EchoMode.Password)
        self._add_row("Password or token", self._secret, _WEB)
        self._kept = self._box(
            "Keep the password on this computer", "In a file that only you can read; otherwise it is asked for in every session"
        )
        self._kept.toggled.connect(self._on_keep)
        self._add_row("", self._kept, _WEB)
        self._encrypt = self._box("Encrypt (TLS)", "DICOMweb is encrypted when its address begins with https")
        self._encrypt.toggled.connect(self._on_tls)
        self._add_row("", self._encrypt, _DIMSE)
        for name, title, tip in _FILES:
            self._add_row(title, self._field(name, "", tip, title), _BOTH, self._browse(name, title))
        column.addLayout(self._grid)
        column.addStretch(1)
        row = QtWidgets.QHBoxLayout()
        add = QtWidgets.QPushButton("Add", self.widget)
        add.setToolTip("Store this connection; nothing is sent to it yet")
        add.clicked.connect(lambda checked=False: self._on_add())
        cancel = QtWidgets.QPushButton("Cancel", self.widget)
        cancel.setAutoDefault(False)
        cancel.clicked.connect(lambda checked=False: self.close())
        row.addStretch(1)
        row.addWidget(add)
        row.addWidget(cancel)
        column.addLayout(row)
        self._fit()

    def open(self) -> None:
        """Show the empty form."""
        for field in self._fields.values():
            field.setText("")
        self._kept.setChecked(False)
        self._encrypt.setChecked(False)
        self.show_message("", "")
        self._fit()
        self.widget.show()
        self.widget.raise_()

    def close(self) -> None:
        """Put the form away; what was typed is forgotten."""
        self._secret.setText("")
        self.widget.hide()

    def show_message(self, severity: str, sentence: str) -> None:
        """Why the connection could not be stored; "" clears."""
        self._message.show(severity, sentence)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self._message.restyle()

    @property
    def written(self) -> NewConnection:
        """What the form says now."""
        kind, auth = str(self._kind.value), str(self._auth.value)
        names = [name for name, *_, kinds in _TEXTS if kind in kinds] + [name for name, *_ in _FILES]
        texts = {name: str(get(self._fields[name], "text")).strip() for name in names}
        values: dict[str, object] = {"kind": kind, **{name: text for name, text in texts.items() if text}}
        if "port" in values:  # what is no number is refused there, in one sentence
            values["port"] = int(texts["port"]) if texts["port"].isdecimal() else texts["port"]
        if kind == "dimse":
            return NewConnection({**values, "tls": self._tls})
        if auth == "none":
            values.pop("user", None)
            return NewConnection(values)
        keep = self._keep
        return NewConnection(
            {**values, "auth": auth, "secret": "kept" if keep else "ask"}, str(get(self._secret, "text")), keep
        )

    def _on_add(self) -> None:
        self.show_message("", "")
        self.add_asked.emit(self.written)

    def _on_keep(self, on: bool) -> None:
        self._keep = bool(on)

    def _on_tls(self, on: bool) -> None:
        self._tls = bool(on)

    def _fit(self) -> None:
        """Show the rows that this kind of archive has."""
        kind, auth = str(self._kind.value), str(self._auth.value)
        signs = {self._fields["user"]: auth == "basic", self._secret: auth != "none", self._kept: auth != "none"}
        for widgets, kinds in self._rows:
            shown = kind in kinds and signs.get(widgets[1], True)
            for widget in widgets:
                widget.setVisible(shown)

    def _add_row(self, title: str, widget: Widget, kinds: tuple[str, ...], button: Widget = None) -> None:
        label = QtWidgets.QLabel(title, self.widget)
        label.setBuddy(widget)
        row = len(self._rows)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(widget, row, 1)
        if button is not None:
            self._grid.addWidget(button, row, 2)
        self._rows.append(((label, widget, button) if button is not None else (label, widget), kinds))

    def _field(self, name: str, hint: str, tip: str, title: str) -> Widget:
        field = QtWidgets.QLineEdit(self.widget)
        field.setPlaceholderText(hint)
        field.setToolTip(tip)
        field.setAccessibleName(title)
        self._fields[name] = field
        return field

    def _box(self, text: str, tip: str) -> Widget:
        box = QtWidgets.QCheckBox(text, self.widget)
        box.setToolTip(tip)
        return box

    def _browse(self, name: str, title: str) -> Widget:
        button = QtWidgets.QPushButton("Choose…", self.widget)
        button.setToolTip(f"Choose the file: {title.lower()}")
        button.setAutoDefault(False)
        button.clicked.connect(lambda checked=False: self._on_browse(name, title))
        return button

    def _on_browse(self, name: str, title: str) -> None:
        path = qt_api.ask_for_file(self.widget, title, "", "Certificates and keys (*.pem *.crt *.cer *.key);;All files (*)")
        if path:
            self._fields[name].setText(path)
