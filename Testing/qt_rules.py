"""Reads the panel's source for what works on PySide6 and fails on PythonQt, the binding inside 3D Slicer.

The rules are numbered as in the design: 1 Qt only through qt_api; 2 no getters of properties; 3 positional arguments, attributes
with an underscore on own classes only; 4 plain signals and slots; 5 scoped enums, everything has a parent; 6 no `super()` into
Qt, no isinstance on its classes, painters only in `painting`; 7 no threads; 8 dialogs and what only Qt 5 has.

What a name holds is known where it was made from a Qt class in the same file; elsewhere only names that no other class has are
reported. The rest is left to `pythonqt_rules`, which sees every object while the tests run.
"""

from __future__ import annotations

import ast
import enum
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pythonqt_rules import property_getters, qt_classes

BINDINGS = {"qt", "ctk", "PythonQt", "PySide6", "PySide2", "PyQt5", "PyQt6", "qtpy", "shiboken6"}
THREADS = {"threading", "_thread", "concurrent", "multiprocessing", "asyncio"}
THREAD_CLASSES = {"QThread", "QThreadPool", "QRunnable", "QtConcurrent"}
NOT_PORTABLE = {"QFileDialog", "QTextCodec", "QRegExp", "QRegExpValidator"}
GIVES_ARGUMENT = {"clicked", "triggered", "toggled"}  # bool, which PythonQt always passes on
PLACING = ("add", "set", "insert")  # methods of layouts and containers that take a widget over


class Breach(NamedTuple):
    """A rule that is broken, where, and what to do instead."""

    rule: int
    line: int
    advice: str


def breaches(source: str, *, is_qt_api: bool = False, own_events: frozenset[str] = frozenset()) -> list[Breach]:
    """Every breach in a file's source. own_events : names of `workbench.events.Event` attributes, which are no Qt signals."""
    found = list(_Reader(ast.parse(source), is_qt_api, own_events).breaches())
    return sorted(set(found), key=lambda breach: (breach.line, breach.rule))


def event_names(folder: Path) -> frozenset[str]:
    """Names of `Event` attributes in a folder's modules."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith("Event["):
                names.add(ast.unparse(node.target).rpartition(".")[2])
    return frozenset(names)


class _Reader:
    def __init__(self, tree: ast.Module, is_qt_api: bool, own_events: frozenset[str]) -> None:
        self._tree, self._is_qt_api, self._own_events = tree, is_qt_api, own_events
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        self._kinds: dict[tuple[ast.AST | None, str], type] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target, value in _pairs(node):
                    kind = _constructed(value)
                    if kind is not None:
                        self._kinds[self._scope(target), ast.unparse(target)] = kind

    def breaches(self) -> Iterator[Breach]:
        for node in ast.walk(self._tree):
            line = getattr(node, "lineno", 0)
            for rule, advice in self._of(node):
                yield Breach(rule, line, advice)

    def _of(self, node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from self._imports(node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node)
        elif isinstance(node, ast.ClassDef) and self._base(node) is not None:
            yield from self._own_class(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                # On `self` of an own class that is allowed, with an underscore.
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self" and self._kind(target.value):
                    yield 3, f"Qt objects take no Python attributes: keep {ast.unparse(target)} elsewhere"

    # One construct each

    def _imports(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in names:
            if name.partition(".")[0] in BINDINGS and not self._is_qt_api:
                yield 1, f"import Qt from qt_api, not from {name}"
            if name.partition(".")[0] in THREADS:
                yield 7, f"no {name}: heavy work belongs to the worker process"

    def _attribute(self, node: ast.Attribute) -> Iterator[tuple[int, str]]:
        if isinstance(_resolved(node), enum.Enum) and not isinstance(_resolved(node.value), enum.EnumMeta):
            yield 5, f"name the enum: {type(_resolved(node)).__qualname__}.{node.attr}"
        if node.attr in THREAD_CLASSES and _root(node) in ("QtCore", "QtGui", "QtWidgets"):
            yield 7, f"no {node.attr}: it crashes in PythonQt"
        if node.attr in NOT_PORTABLE and not self._is_qt_api:
            yield 8, f"{node.attr} differs between the bindings: use what qt_api offers"
        if node.attr == "stateChanged":
            yield 4, "use toggled(bool) instead of stateChanged"

    def _call(self, node: ast.Call) -> Iterator[tuple[int, str]]:
        function = node.func
        made = _class_of(function)
        if made is not None:
            yield from self._construction(node, made)
        if isinstance(function, ast.Name) and function.id == "isinstance" and len(node.args) == 2:
            kinds = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            if any(_class_of(kind) for kind in kinds):
                yield 6, "ask Qt objects with inherits(), not with isinstance"
        if not isinstance(function, ast.Attribute):
            return
        name, receiver = function.attr, function.value
        kind = self._kind(receiver)
        if name == "sender" and not node.args:
            yield 4, "no sender(): connect a function that knows whose signal it is"
        if not node.args and not node.keywords:
            if kind is not None and issubclass(kind, _qobject()) and name in _getters(kind):
                yield 2, f'{kind.__name__}.{name} is an attribute in PythonQt: get(…, "{name}")'
            elif kind is None and name in _telling_getters() and name not in self._functions:
                yield 2, f'{name} is an attribute in PythonQt: get(…, "{name}")'
        if kind is not None and node.keywords:
            yield 3, f"PythonQt takes positional arguments only: {name}({', '.join(str(k.arg) for k in node.keywords)}=…)"
        if isinstance(receiver, ast.Call) and ast.unparse(receiver.func) == "super":
            owner = self._enclosing(node, ast.ClassDef)
            if isinstance(owner, ast.ClassDef) and self._base(owner) is not None:
                if name != "__init__":
                    yield 6, f"no super() into Qt: write the base class, or leave {name} out"
                elif node.keywords:
                    yield 3, "PythonQt takes positional arguments only"
        if name in ("connect", "disconnect", "emit") and isinstance(receiver, ast.Subscript):
            yield 4, "no signal[…]: connect to the plain signal"
        if name == "connect" and len(node.args) == 1 and self._is_qt_signal(receiver):
            yield from self._slot(str(getattr(receiver, "attr", "")), node.args[0])

    def _construction(self, node: ast.Call, made: type) -> Iterator[tuple[int, str]]:
        if node.keywords:
            yield 3, f"PythonQt takes positional arguments only: {made.__name__}({node.keywords[0].arg}=…)"
        if made.__name__ == "QPainter" and not self._is_qt_api:
            yield 6, "paint in `with painting(device) as painter`"
        if not issubclass(made, _qobject()) or made.__name__.endswith("Application"):
            return
        if self._is_qt_api and made is _qobject():
            return  # a bare object to try the binding with
        # A string or a number is no parent; anything else may be one.
        if node.keywords or any(not isinstance(argument, ast.Constant | ast.JoinedStr | ast.List) for argument in node.args):
            return
        if not self._is_placed(node, made):
            yield 5, f"{made.__name__} has no parent and is put into no layout"

    def _slot(self, signal: str, slot: ast.expr) -> Iterator[tuple[int, str]]:
        if isinstance(slot, ast.Attribute) and slot.attr == "emit":
            yield 4, "connect a lambda with the arguments it passes on, not emit itself: bindings differ in what they pass"
            return
        arguments: ast.arguments | None = None
        taken = 0
        if isinstance(slot, ast.Lambda):
            arguments = slot.args
        elif isinstance(slot, ast.Attribute | ast.Name):
            function = self._functions.get(slot.attr if isinstance(slot, ast.Attribute) else slot.id)
            if function is not None:
                arguments = function.args
                taken = int(isinstance(slot, ast.Attribute))  # self
        if arguments is None:
            return
        if arguments.vararg is not None or arguments.kwarg is not None:
            yield 4, "a slot names its parameters: no *args"
        elif signal in GIVES_ARGUMENT and len(arguments.args) - taken < 1:
            yield 4, f"a slot of {signal} takes checked=False"

    def _own_class(self, node: ast.ClassDef) -> Iterator[tuple[int, str]]:
        for inner in ast.walk(node):
            if not (isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)):
                continue
            if ast.unparse(inner.value) == "self" and not inner.attr.startswith("_"):
                yield 3, f"{node.name}.{inner.attr}: attributes of a Qt class start with an underscore"

    # What is what

    def _scope(self, target: ast.expr) -> ast.AST | None:
        """The class for attributes of self, the function for plain names."""
        wanted = ast.ClassDef if isinstance(target, ast.Attribute) else ast.FunctionDef
        return self._enclosing(target, wanted)

    def _enclosing(self, node: ast.AST, wanted: type) -> ast.AST | None:
        above = self._parents.get(node)
        while above is not None and not isinstance(above, wanted):
            above = self._parents.get(above)
        return above

    def _kind(self, node: ast.expr) -> type | None:
        if isinstance(node, ast.Name) and node.id == "self":
            owner = self._enclosing(node, ast.ClassDef)
            return self._base(owner) if isinstance(owner, ast.ClassDef) else None
        if isinstance(node, ast.Call):
            return _class_of(node.func)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._kinds.get((self._scope(node), ast.unparse(node)))
        return None

    def _base(self, node: ast.ClassDef) -> type | None:
        return next((kind for kind in map(_class_of, node.bases) if kind is not None), None)

    def _is_qt_signal(self, receiver: ast.expr) -> bool:
        if not isinstance(receiver, ast.Attribute):
            return False
        known = self._kind(receiver.value)
        return known is not None or (receiver.attr in _signals() and receiver.attr not in self._own_events)

    def _is_placed(self, node: ast.Call, made: type) -> bool:
        """Whether a widget or layout made without a parent is handed to something that becomes its parent."""
        if not issubclass(made, _qt_class("QWidget") | _qt_class("QLayout")) or made.__name__ == "QMenu":
            return False
        above = self._parents.get(node)
        if isinstance(above, ast.Call) and node in above.args:
            return _places(above)
        names = [ast.unparse(target) for target in above.targets] if isinstance(above, ast.Assign) else []
        for call in ast.walk(self._enclosing(node, ast.ClassDef) or self._tree):
            if isinstance(call, ast.Call) and _places(call) and any(ast.unparse(part) in names for part in call.args):
                return True
        return False


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple) and len(target.elts) == len(node.value.elts):
            yield from zip(target.elts, node.value.elts, strict=True)
        else:
            yield target, node.value


def _constructed(value: ast.expr) -> type | None:
    return _class_of(value.func) if isinstance(value, ast.Call) else None


def _places(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr.startswith(PLACING)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _resolved(node: ast.expr) -> Any:
    """The Qt object that a dotted name means ("QtWidgets.QLabel", "Qt.AlignmentFlag"), else None."""
    from PySide6 import QtCore, QtGui, QtWidgets

    if isinstance(node, ast.Name):
        return {"QtCore": QtCore, "QtGui": QtGui, "QtWidgets": QtWidgets, "Qt": QtCore.Qt}.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolved(node.value)
        return None if owner is None else getattr(owner, node.attr, None)
    return None


def _class_of(node: ast.expr) -> type | None:
    value = _resolved(node)
    return value if isinstance(value, type) and not isinstance(value, enum.EnumMeta) and value in set(qt_classes()) else None


def _qt_class(name: str) -> Any:
    return next(kind for kind in qt_classes() if kind.__name__ == name)


def _qobject() -> Any:
    return _qt_class("QObject")


@functools.cache
def _getters(kind: type) -> frozenset[str]:
    return frozenset(name for owner, name in property_getters() if issubclass(kind, owner))


@functools.cache
def _telling_getters() -> frozenset[str]:
    """Getters that can only be a Qt object's: no value class of Qt and no common type of Python has a method of that name."""
    others = [kind for kind in qt_classes() if not issubclass(kind, _qobject())]
    taken = {name for kind in [*others, str, bytes, list, dict, set, float, Path] for name in dir(kind)}
    return frozenset(name for _, name in property_getters()) - taken


@functools.cache
def _signals() -> frozenset[str]:
    signal = type(_qobject().__dict__["destroyed"])
    # Not isinstance(): PySide6 6.12.0 answers it on Python 3.11 in a way that ends the process.
    return frozenset(name for kind in qt_classes() for name, value in vars(kind).items() if type(value) is signal)
