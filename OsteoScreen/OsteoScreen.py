"""OsteoScreen's module for 3D Slicer: what the catalogue and the help say, the panel's place in Slicer, and the self-test.

All work is done in OsteoScreenLib; nothing of it is imported before the module is opened.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

STUDY = (
    "Kim J-W, Kwak S, Lee H, Chang J, Park SM: Explainable opportunistic osteoporosis screening from chest X-rays: a "
    "retrospective comparison of foundation models. Osteoporosis International 2025"
)

SAMPLES = {
    "simulated_chest_normal.dcm": (
        "OsteoScreen: simulated, normal bone",
        "SHA256:b1cc90c226c7728bfa2b6ae11b4bde038ffbf950e154043bcd4b3d40c8f6bfd4",
    ),
    "simulated_chest_osteoporosis.dcm": (
        "OsteoScreen: simulated, osteoporosis",
        "SHA256:be67b04046900a531379eb80164758d509b1ac92f66079a91f94c98e8d759895",
    ),
}
"""File in Resources/SampleData → (name, checksum)."""

NO_VIEW = "OsteoScreen shows radiographs in Slicer's Red view, which is not there; start Slicer with its main window."


class OsteoScreen(ScriptedLoadableModule):
    """The module's entry in Slicer's module list."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        from OsteoScreenLib.hosts import address

        self.parent.title = "OsteoScreen"
        self.parent.categories = ["Quantification"]
        self.parent.dependencies = []
        self.parent.contributors = ["OsteoScreen contributors"]
        self.parent.helpText = (
            "<p>Opportunistic osteoporosis screening on chest radiographs: probabilities of normal bone, osteopenia and "
            "osteoporosis, every bone outlined by name, a map of where the model looked, and what happens to the answer when "
            "chosen bones are covered.</p>"
            "<p><b>Research use only. Not a medical device.</b> The model that comes along is trained on simulated radiographs "
            "and knows nothing about patients.</p>"
            f'<p>Three minutes to begin with: <a href="{address.tutorial()}">tutorial</a>. '
            "Sample radiographs are in the module Sample Data.</p>"
        )
        self.parent.acknowledgementText = (
            f'<p>The system follows {STUDY}, <a href="{address.STUDY}">doi 10.1007/s00198-025-07727-3</a>; please cite it.</p>'
            "<p>Samples and embedded models derive from LIDC-IDRI (Armato et al., The Cancer Imaging Archive, CC BY 3.0) and "
            "BodyParts3D (© The Database Center for Life Science, CC BY-SA 2.1 Japan).</p>"
        )
        # The module Sample Data is there only when all modules are.
        slicer.app.connect("startupCompleted()", register_samples)


class OsteoScreenWidget(ScriptedLoadableModuleWidget):
    """The panel's place in Slicer's module panel.

    panel : `hosts.slicer.ModulePanel` between `setup` and `cleanup`, else None.
    """

    def __init__(self, parent: Any = None) -> None:
        self.panel: Any = None
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Build the panel, when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from OsteoScreenLib.hosts.slicer import ModulePanel, image_view_there, remark

        if image_view_there():
            self.panel = ModulePanel(self.parent)
            self.layout.addWidget(self.panel.widget)
        else:
            self.layout.addWidget(remark(self.parent, NO_VIEW))

    def enter(self) -> None:
        """The module comes to the front: remember the reader's layout, show the case."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        """The module goes to the back: restore the reader's layout."""
        if self.panel is not None:
            self.panel.leave()

    def cleanup(self) -> None:
        """Slicer closes or the module is reloaded: stop timers and end the worker process."""
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.close()


class OsteoScreenLogic(ScriptedLoadableModuleLogic):
    """What scripts need without the panel."""

    @staticmethod
    def sample(name: str = "simulated_chest_osteoporosis.dcm") -> Path:
        """Path of a sample radiograph that ships with the module."""
        return Path(__file__).resolve().parent / "Resources" / "SampleData" / name


class OsteoScreenTest(ScriptedLoadableModuleTest):
    """Self-test: the panel analyses the sample, a group of bones is covered and uncovered again."""

    SECONDS = 300

    def setUp(self) -> None:
        """An empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run the self-test. Without the Python packages it says so and ends; nothing is installed by a test."""
        self.setUp()
        widget = slicer.modules.osteoscreen.widgetRepresentation().self()
        problem = widget.panel.host.make_ready() if widget.panel is not None else NO_VIEW
        if problem:
            self.delayDisplay(f"The self-test was left out. {problem}")
            return
        self.test_sample_is_analysed_and_bones_can_be_covered(widget.panel.presenter)
        self.delayDisplay("The self-test passed.")

    def test_sample_is_analysed_and_bones_can_be_covered(self, presenter: Any = None) -> None:
        """The numbers follow the toggles and come back with Undo."""
        if presenter is None:
            presenter = slicer.modules.osteoscreen.widgetRepresentation().self().panel.presenter
        self.delayDisplay("Opening the simulated sample")
        presenter.open_file(OsteoScreenLogic.sample())
        self._wait(lambda: presenter.reading is not None and not presenter.busy, "the sample to open")
        self.delayDisplay("Analysing")
        presenter.analyse()
        self._wait(lambda: presenter.result is not None and not presenter.busy, "the analysis")
        before = presenter.numbers
        self.assertAlmostEqual(sum(row.untouched for row in before.rows), 1.0, places=3)
        self.assertEqual(before.decision_untouched, "osteoporosis")
        self.assertGreaterEqual(len(presenter.bone_areas), 40)
        self.delayDisplay("Covering the spine")
        spine = presenter.site.groups["Spine"]
        presenter.set_covered(spine, True)
        self._wait(lambda: presenter.numbers.state == "current", "the answer without the spine")
        covered = presenter.numbers
        self.assertGreater(covered.covered_area_px, 0)
        self.assertNotEqual(covered.delta_points, 0.0)
        presenter.undo()
        self._wait(lambda: presenter.numbers.state == "current", "the untouched answer")
        self.assertEqual(presenter.numbers, before)

    def _wait(self, done: Any, what: str) -> None:
        deadline = time.monotonic() + self.SECONDS
        while not done():
            self.assertLess(time.monotonic(), deadline, f"waited {self.SECONDS} s for {what}")
            slicer.app.processEvents()
            time.sleep(0.01)


def register_samples() -> None:
    """Put the two simulated radiographs into the module Sample Data. They are files of this module: nothing is downloaded."""
    import SampleData

    icon = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Resources", "Icons", "OsteoScreen.png")
    for file_name, (name, checksum) in SAMPLES.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="OsteoScreen",
            sampleName=name,
            uris=OsteoScreenLogic.sample(file_name).as_uri(),
            fileNames=file_name,
            nodeNames=Path(file_name).stem,
            checksums=checksum,
            loadFileType="VolumeFile",
            loadFileProperties={"singleFile": True},
            thumbnailFileName=icon,
        )
