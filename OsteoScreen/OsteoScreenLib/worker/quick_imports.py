"""Imports torch, timm and pytorch-grad-cam without the parts of other libraries that an analysis never calls.

Measured on two processor cores: importing the three takes two thirds of the time from the shell to the first answer, and most
of that goes to torch's compiler (which torchvision wants for one function), matplotlib's plotting and scikit-learn, none of
which an analysis uses. Names from those modules are handed out as stand-ins that import the real thing when they are first
used, so nothing stops working; it only happens when, and if, it is needed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Nothing is compiled in this process, so what libraries take from torch's compiler on import comes down to these answers.
WITHOUT_COMPILER: dict[str, dict[str, Any]] = {
    "torch._dynamo": {"disable": lambda function=None, *_, **__: function if function is not None else lambda inner: inner},
    "torch._dynamo.utils": {"is_compile_supported": lambda _device: False},
}
DEFERRED = (
    *WITHOUT_COMPILER,
    "sklearn",
    "sklearn.decomposition",
    "matplotlib",
    "matplotlib.pyplot",
    "matplotlib.lines",
    "scipy",
    "scipy.ndimage",
    "scipy.sparse",
    "scipy.sparse.linalg",
)


class DeferredName:
    """A name of a module that is not imported yet: calling it, reading from it or deriving from it imports the module."""

    def __init__(self, module: str, name: str) -> None:
        self.__dict__.update(_module=module, _name=name)

    def _real(self) -> Any:
        _forget_stand_ins()
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._real()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._real(),)


class _DeferredModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return DeferredName(self.__name__, name)


class _DeferringFinder(MetaPathFinder, Loader):
    """Answers for the modules of `names` with empty ones whose names are deferred."""

    names: frozenset[str] = frozenset()

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname in self.names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing but the answers that stand for a compiler which is not used."""
        vars(module).update(WITHOUT_COMPILER.get(module.__name__, {}))


# Stays in the list once it is there, with nothing to answer for: taking it out would make another thread, which may be going
# through that list at this moment, miss the finder behind it.
_finder = _DeferringFinder()


@contextmanager
def deferring(names: Sequence[str] = DEFERRED) -> Iterator[None]:
    """Within this context, importing a module of `names` that is not there yet gives a stand-in; afterwards it is as before."""
    _finder.names = frozenset(name for name in names if name not in sys.modules)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    try:
        yield
    finally:
        _forget_stand_ins()


def _forget_stand_ins() -> None:
    """From now on these modules are imported for real."""
    _finder.names = frozenset()
    for name in [name for name, module in list(sys.modules.items()) if isinstance(module, _DeferredModule)]:
        del sys.modules[name]
        parent, _, child = name.rpartition(".")
        if isinstance(vars(sys.modules.get(parent, ModuleType(""))).get(child), _DeferredModule):
            delattr(sys.modules[parent], child)


def import_quickly() -> None:
    """Import what an analysis needs. Where a library's version takes more than names from a deferred module, import it whole."""
    try:
        with deferring():
            _import_all()
    except (ImportError, AttributeError, TypeError):
        _import_all()


def _import_all() -> None:
    importlib.import_module("torch")
    importlib.import_module("timm")
    importlib.import_module("pytorch_grad_cam")
