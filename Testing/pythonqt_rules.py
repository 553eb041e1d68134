"""Makes PySide6 behave like PythonQt towards the panel, so that ordinary tests catch what would fail only inside 3D Slicer.

The rules hold for code that is meant to run on both bindings (`RULED`), and for nobody else: who asks is read from the calling
frame. So the desktop host, the tests and PySide6 itself go on using getters in the same process, and one session runs a test
both ways. Everything is put back at the end.

What PythonQt does differently, and what is done about it here:
- a Qt property's getter is an attribute with the value, and calling it fails: the same here;
- constructors take no keyword arguments (it would silently drop them): `TypeError`;
- `QPainter`, `QSignalBlocker` and `QMutexLocker` are no context managers: `with` fails;
- `QImage` cannot wrap a Python buffer: `ValueError`;
- there is no `sender()`: `AttributeError`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

RULED = ("OsteoScreenLib.ui", "OsteoScreenLib.hosts.slicer", "OsteoScreen")
_MISSING = object()


@pytest.fixture(params=["PySide6", "PythonQt rules"])
def qt_way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test twice: on PySide6 as it is, and with PythonQt's rules. The value says which."""
    if request.param == "PySide6":
        yield request.param
        return
    with pythonqt_rules():
        yield request.param


@contextmanager
def pythonqt_rules(ruled: tuple[str, ...] = RULED) -> Iterator[None]:
    """PythonQt's rules for the modules named in `ruled` and the modules below them."""

    def is_ruled(depth: int) -> bool:
        name = str(sys._getframe(depth + 1).f_globals.get("__name__", ""))
        return any(name == module or name.startswith(f"{module}.") for module in ruled)

    with ExitStack() as undo:

        def put(owner: type, name: str, value: object) -> None:
            before = owner.__dict__.get(name, _MISSING)
            setattr(owner, name, value)
            undo.callback(delattr if before is _MISSING else setattr, owner, name, *([] if before is _MISSING else [before]))

        for owner, name in property_getters():
            put(owner, name, _PropertyGetter(name, owner.__dict__[name], is_ruled))
        for owner in qt_classes():
            if "__init__" in owner.__dict__:
                put(owner, "__init__", _positional(owner.__dict__["__init__"], owner, is_ruled))
            for name in ("__enter__", "__exit__", "sender"):
                if name in owner.__dict__:
                    put(owner, name, _Absent(name, owner, is_ruled))
        yield


@functools.cache
def qt_classes() -> tuple[type, ...]:
    """Every class that the panel could construct."""
    from PySide6 import QtCore, QtGui, QtWidgets

    found: dict[type, None] = {}
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            value = getattr(module, name)
            if isinstance(value, type(QtCore.QObject)) and value.__module__.startswith("PySide6."):
                found[value] = None
    return tuple(found)


@functools.cache
def property_getters() -> tuple[tuple[type, str], ...]:
    """(class, name) of every method that is the getter of a Qt property of the same name, where PythonQt has an attribute."""
    from PySide6 import QtCore

    found = []
    for owner in qt_classes():
        if not issubclass(owner, QtCore.QObject):
            continue
        described = owner.staticMetaObject  # type: ignore[attr-defined]
        names = {described.property(index).name() for index in range(described.propertyCount())}
        # Also where a class writes an inherited property's getter anew.
        found += [(owner, name) for name in sorted(names) if callable(owner.__dict__.get(name))]
    return tuple(found)


class _PropertyGetter:
    """Stands where the getter was: the value for those under the rules, the method for everybody else."""

    def __init__(self, name: str, method: Any, is_ruled: Callable[[int], bool]) -> None:
        self._name, self._method, self._is_ruled = name, method, is_ruled

    def __get__(self, qobject: Any, owner: type | None = None) -> Any:
        if qobject is None or not self._is_ruled(1):
            return self._method.__get__(qobject, owner)
        # Should Qt look this very name up again (`sizeHint` is virtual), it is this module that asks, and gets the method.
        return qobject.property(self._name)


class _Absent:
    """Stands where PythonQt has nothing."""

    def __init__(self, name: str, owner: type, is_ruled: Callable[[int], bool]) -> None:
        self._name, self._owner, self._method, self._is_ruled = name, owner, owner.__dict__[name], is_ruled

    def __get__(self, qobject: Any, owner: type | None = None) -> Any:
        if self._is_ruled(1):
            raise AttributeError(f"PythonQt: {self._owner.__name__} has no {self._name}")
        return self._method.__get__(qobject, owner)


def _positional(construct: Any, owner: type, is_ruled: Callable[[int], bool]) -> Callable[..., None]:
    def constructor(self: Any, *arguments: Any, **named: Any) -> None:
        if is_ruled(1):
            if named:
                raise TypeError(f"PythonQt: {owner.__name__}() takes positional arguments only, got {', '.join(named)}")
            if owner.__name__ == "QImage" and arguments and _is_buffer(arguments[0]):
                raise ValueError("PythonQt: QImage cannot be made from a Python buffer")
        construct(self, *arguments, **named)

    return constructor


def _is_buffer(value: object) -> bool:
    if isinstance(value, str):
        return False
    try:
        memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True
