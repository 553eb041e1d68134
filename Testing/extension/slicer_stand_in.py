"""What OsteoScreen uses of Slicer's application, played for the tests; nothing here knows more than Slicer tells."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


class Settings:
    """QSettings: values come back as they were stored, an absent one as the default."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def setValue(self, key: str, value: Any) -> None:
        self.values[key] = value

    def value(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)


class Application:
    """slicer.app."""

    def __init__(self, home: Path, testing: bool = False) -> None:
        self.slicerHome = str(home)
        self.temporaryPath = str(home.parent)
        self.testing = testing
        self.consents = True
        self.questions: list[tuple[str, str, str]] = []
        self.statuses: list[str] = []
        self.rounds = 0
        self.settings = Settings()
        self.connected: dict[str, Callable[[], None]] = {}
        python = home / "bin" / "PythonSlicer"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("#!/bin/sh\n")

    def processEvents(self) -> None:
        self.rounds += 1

    def testingEnabled(self) -> bool:
        return self.testing

    def userSettings(self) -> Settings:
        return self.settings

    def connect(self, signal: str, callback: Callable[[], None]) -> None:
        self.connected[signal] = callback

    def confirm(self, text: str, windowTitle: str = "", detailedText: str = "") -> bool:
        self.questions.append((text, windowTitle, detailedText))
        return self.consents

    def show_status(self, text: str, duration: int = 0) -> None:
        self.statuses.append(text)


class ScriptedModule:
    """slicer.ScriptedLoadableModule.ScriptedLoadableModule."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedModuleWidget:
    """slicer.ScriptedLoadableModule.ScriptedLoadableModuleWidget. With a parent, Slicer calls `setup` itself, later."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.layout = parent.layout()

    def setup(self) -> None:
        """The section for developers, which is off."""


class ScriptedModuleLogic:
    """slicer.ScriptedLoadableModule.ScriptedLoadableModuleLogic."""


class ScriptedModuleTest(unittest.TestCase):
    """slicer.ScriptedLoadableModule.ScriptedLoadableModuleTest."""

    messages: list[str] = []  # noqa: RUF012  read by the tests

    def delayDisplay(self, message: str, msec: int = 0) -> None:
        self.messages.append(message)


def scripted_modules() -> ModuleType:
    """The module slicer.ScriptedLoadableModule."""
    module = ModuleType("slicer.ScriptedLoadableModule")
    names = {"": ScriptedModule, "Widget": ScriptedModuleWidget, "Logic": ScriptedModuleLogic, "Test": ScriptedModuleTest}
    for name, played in names.items():
        setattr(module, f"ScriptedLoadableModule{name}", played)
    return module


class SampleData(ModuleType):
    """The module SampleData: keeps what is registered."""

    def __init__(self) -> None:
        super().__init__("SampleData")
        self.registered: list[dict[str, Any]] = []
        self.SampleDataLogic = SimpleNamespace(registerCustomSampleDataSource=self._register)

    def _register(
        self,
        category: str,
        sampleName: str,
        uris: str,
        fileNames: str,
        nodeNames: str,
        checksums: str,
        loadFileType: str,
        loadFileProperties: dict[str, Any],
        thumbnailFileName: str,
    ) -> None:
        self.registered.append({name: value for name, value in locals().items() if name not in ("self", "__class__")})
