"""What the mouse does in the desktop viewer: a left drag adjusts the radiograph's window and level, and nothing else's."""

from __future__ import annotations

import slicer

from OsteoScreenLib.hosts.desktop.application import MiniSlicer
from OsteoScreenLib.hosts.desktop.slice_view import SliceView


class SceneMouse:
    """Keeps Slicer's mouse mode at window/level, also after a scene was opened that was saved in another one."""

    def __init__(self, application: MiniSlicer, view: SliceView) -> None:
        self._application, self._view = application, view
        self._scene = application.mrmlScene()
        events = (slicer.vtkMRMLScene.EndImportEvent, slicer.vtkMRMLScene.EndCloseEvent)
        self._tags = [self._scene.AddObserver(event, self._take_over) for event in events]
        self._take_over()

    def _take_over(self, *_: object) -> None:
        interaction = self._application.applicationLogic().GetInteractionNode()
        interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.AdjustWindowLevel)
        # The heatmap lies over the whole image as foreground: a drag would change it instead of the radiograph.
        manager = self._view.displayableManagerByClassName("vtkMRMLScalarBarDisplayableManager")
        manager.SetAdjustForegroundWindowLevelEnabled(False)

    def reset_window_level(self) -> None:
        """The window that the volume's file names, else the whole range of its grey values."""
        volume = self._scene.GetNodeByID(self._view.mrmlSliceCompositeNode().GetBackgroundVolumeID() or "")
        display = volume.GetDisplayNode() if volume is not None else None
        if display is None or volume.GetImageData() is None:
            return
        display.AutoWindowLevelOff()
        if display.GetNumberOfWindowLevelPresets() > 0:
            display.SetWindowLevelFromPreset(0)
        else:
            display.SetWindowLevelMinMax(*volume.GetImageData().GetScalarRange())

    def close(self) -> None:
        """Stop watching the scene."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags.clear()
