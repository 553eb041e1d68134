"""A slice view without Qt: render window off screen, slice logic and displayable managers, with the names Slicer gives them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from ctypes import CDLL
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.hosts.desktop.flat_images import FlatImages

# What Slicer registers for slice views, as far as a radiograph needs it.
DISPLAYABLE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",  # window/level by dragging lives in here
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)
AFTER_OTHERS = -1.0  # priority of an observer
POINTS_PER_INCH = 72  # of VTK's text at scale 1


def choose_offscreen_rendering() -> None:
    """Without a display, tell VTK before its first window which way to render; else it tries X first and complains."""
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or "VTK_DEFAULT_OPENGL_WINDOW" in os.environ:
        return
    for library, window in (("libEGL.so.1", "vtkEGLRenderWindow"), ("libOSMesa.so.8", "vtkOSOpenGLRenderWindow")):
        try:
            CDLL(library)
        except OSError:
            continue
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = window
        return


class SliceView:
    """What qMRMLSliceWidget and its view are in Slicer, in one object.

    Rendering is never done behind the caller's back: `set_render_request` names the function that is called when a frame is
    wanted (a Qt widget starts a timer there); without one, a frame is drawn when it is asked for with `forceRender` or `grab`.

    Parameters
    ----------
    application_logic : vtkSlicerApplicationLogic with its scene set.
    name : layout name, "Red" for the first.
    size : (width, height) in pixels of the render window.
    """

    def __init__(self, application_logic: Any, name: str = "Red", size: tuple[int, int] = (800, 800)) -> None:
        self.name = name
        self._application_logic = application_logic
        self._render_request: Callable[[], None] | None = None
        self._pauses = 0
        self._pending = True
        self._flat_images = FlatImages()
        self._make_window()
        self._make_displayable_managers()
        self._make_logic()
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self._logic)
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetInteractor(self._interactor)
        scene = self._logic.GetMRMLScene()
        self._observers = [
            (self._managers, self._managers.AddObserver(vtk.vtkCommand.UpdateEvent, self._wanted)),
            (self._logic, self._logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._wanted)),
            (scene, scene.AddObserver(slicer.vtkMRMLScene.EndImportEvent, self._take_scene_in, AFTER_OTHERS)),
        ]
        self.set_size(*size)

    def _make_window(self) -> None:
        choose_offscreen_rendering()
        window = vtk.vtkRenderWindow()
        window.SetOffScreenRendering(1)
        window.SetShowWindow(False)
        window.SetMultiSamples(0)  # flat images: nothing to smooth, and twice as fast without a GPU
        window.SetNumberOfLayers(2)
        window.SetAlphaBitPlanes(1)
        self._image_renderer, self._overlay_renderer = vtk.vtkRenderer(), vtk.vtkRenderer()
        self._overlay_renderer.SetLayer(1)
        for renderer in (self._image_renderer, self._overlay_renderer):
            renderer.GetActiveCamera().ParallelProjectionOn()
            window.AddRenderer(renderer)
        self._image_renderer.InteractiveOff()
        self._window = window
        interactor = vtk.vtkGenericRenderWindowInteractor()  # no source of events of its own: the widget, or a test, feeds it
        interactor.SetRenderWindow(window)
        interactor.EnableRenderOff()
        interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._interactor = interactor
        # The slice logic blends the layers into RGBA; it is drawn pixel for pixel.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.SetVisibility(False)
        self._image_renderer.AddViewProp(self._actor)
        self._corners = vtk.vtkCornerAnnotation()
        self._corners.SetMaximumLineHeight(0.07)
        self._overlay_renderer.AddViewProp(self._corners)

    def _make_displayable_managers(self) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(self._application_logic)
        for class_name in DISPLAYABLE_MANAGERS:
            if not factory.IsDisplayableManagerRegistered(class_name):
                factory.RegisterDisplayableManager(class_name)
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.Initialize(factory, self._overlay_renderer)

    def _make_logic(self) -> None:
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(self._application_logic)
        self._application_logic.GetSliceLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(self._application_logic.GetMRMLScene())
        node = self._logic.AddSliceNode(self.name)
        node.SetLayoutLabel(self.name[0])
        node.SetOrientation("Axial")
        node.SetMappedInLayout(True)
        self._managers.SetMRMLDisplayableNode(node)
        self._node = node

    # Drawing

    def set_render_request(self, request: Callable[[], None] | None) -> None:
        """Name the function that is called whenever a new frame is wanted; it must return at once."""
        self._render_request = request
        if request is not None and self._pending:
            request()

    def scheduleRender(self) -> None:
        """Ask for a frame."""
        self._wanted()

    def forceRender(self) -> None:
        """Draw a frame now."""
        self._pending = False
        connection = self._logic.GetImageDataConnection()
        self._actor.SetVisibility(connection is not None)
        if connection is None:
            self._window.Render()
            return
        producer = connection.GetProducer()
        producer.Update()
        image, blended = self._flat_images.blend(producer.GetOutputDataObject(connection.GetIndex()), self._overlay_renderer)
        for actor in blended:
            actor.VisibilityOff()
        self._mapper.SetInputData(image)
        try:
            self._window.Render()
        finally:
            # To everyone else, and to frames that are drawn without us, things are as they were.
            self._mapper.SetInputConnection(connection)
            for actor in blended:
                actor.VisibilityOn()

    def pauseRender(self) -> None:
        """Ask for no frames until `resumeRender` was called as often."""
        self._pauses += 1

    def resumeRender(self) -> None:
        """The counterpart of `pauseRender`."""
        self._pauses = max(self._pauses - 1, 0)
        if self._pauses == 0 and self._pending:
            self._wanted()

    def grab(self) -> np.ndarray:
        """A new frame as uint8 (rows, columns, 3), first row at the top."""
        self.forceRender()
        width, height = self._window.GetSize()
        pixels = vtk.vtkUnsignedCharArray()
        self._window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        return vtk_to_numpy(pixels).reshape(height, width, 3)[::-1].copy()

    def rgba_into(self, pixels: vtk.vtkUnsignedCharArray) -> tuple[int, int]:
        """Read the last frame back into `pixels` (RGBA, first row at the bottom); its (width, height)."""
        width, height = self._window.GetSize()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        return width, height

    def require_rendering(self) -> None:
        """Raise `OsteoScreenError` where this computer offers no way to draw."""
        if not self._window.SupportsOpenGL():
            raise OsteoScreenError(
                "This computer offers no OpenGL to draw the radiograph with; install the graphics driver, "
                "or on Debian and Ubuntu run 'sudo apt-get install libegl1 libgl1'."
            )

    def _wanted(self, *_: object) -> None:
        self._pending = True
        if self._pauses == 0 and self._render_request is not None:
            self._render_request()

    # Geometry

    def set_size(self, width: int, height: int, scale: float = 1.0) -> None:
        """Size of the frame in pixels. scale : pixels per unit of the screen's layout, so that lettering keeps its size."""
        width, height = max(int(width), 1), max(int(height), 1)
        self._window.SetDPI(round(POINTS_PER_INCH * scale))
        self._window.SetSize(width, height)
        self._interactor.SetSize(width, height)
        self._interactor.InvokeEvent(vtk.vtkCommand.ConfigureEvent)
        self._logic.ResizeSliceNode(width, height)
        self._wanted()

    def fit(self) -> None:
        """Show all of the background volume."""
        self._logic.FitSliceToBackground()

    def is_fitted(self) -> bool:
        """Whether the background volume is shown whole and centred, as `fit` does; True while there is none."""
        node = self._node
        before = (*node.GetFieldOfView(), *node.GetXYZOrigin())
        silent = node.GetDisableModifiedEvent()
        node.DisableModifiedEventOn()
        self.fit()
        fitted = (*node.GetFieldOfView(), *node.GetXYZOrigin())
        node.SetFieldOfView(*before[:3])
        node.SetXYZOrigin(*before[3:])
        node.SetDisableModifiedEvent(silent)
        return bool(np.allclose(before, fitted, rtol=1e-3, atol=1e-3)) or not self._logic.GetBackgroundLayer().GetVolumeNode()

    def zoom(self, factor: float, column: int, row: int) -> None:
        """Show `factor` times as much of the plane; what lies at this pixel (counted from the bottom left) stays there."""
        node = self._node
        width, height = self._window.GetSize()
        field, origin = node.GetFieldOfView(), node.GetXYZOrigin()
        smallest, largest = self._zoom_limits()
        factor = min(max(factor, smallest / min(field[:2])), largest / max(field[:2]))
        across, up = field[0] * (column / width - 0.5), field[1] * (row / height - 0.5)
        modifying = node.StartModify()
        node.SetXYZOrigin(origin[0] + across * (1 - factor), origin[1] + up * (1 - factor), origin[2])
        node.SetFieldOfView(field[0] * factor, field[1] * factor, field[2])
        node.EndModify(modifying)

    def _zoom_limits(self) -> tuple[float, float]:
        """Smallest and largest field of view in millimetres: eight pixels of the background, and ten times all of it."""
        volume = self._logic.GetBackgroundLayer().GetVolumeNode()
        image = volume.GetImageData() if volume is not None else None
        if image is None:
            return 1.0, 10_000.0
        size = [length * spacing for length, spacing in zip(image.GetDimensions(), volume.GetSpacing(), strict=True)]
        return 8 * min(volume.GetSpacing()), 10 * max(size)

    def _take_scene_in(self, *_: object) -> None:
        """A scene file brings the view size of the machine that wrote it, and managers draw its nodes at the next change."""
        self._logic.ResizeSliceNode(*self._window.GetSize())
        self.fit()
        self._node.Modified()

    def mouse_is_lent(self) -> bool:
        """Whether the left button belongs to a tool, as a brush: Slicer's mouse mode says so."""
        interaction = self._application_logic.GetInteractionNode()
        return bool(interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.User)

    # Slicer's names

    def sliceLogic(self) -> Any:
        """The vtkMRMLSliceLogic."""
        return self._logic

    def sliceView(self) -> SliceView:
        """The view inside the widget, which is this object too."""
        return self

    def mrmlSliceNode(self) -> Any:
        """The vtkMRMLSliceNode."""
        return self._node

    def mrmlSliceCompositeNode(self) -> Any:
        """The vtkMRMLSliceCompositeNode: which volumes are shown."""
        return self._logic.GetSliceCompositeNode()

    def renderWindow(self) -> vtk.vtkRenderWindow:
        """The window that is drawn into."""
        return self._window

    def interactor(self) -> vtk.vtkRenderWindowInteractor:
        """Where mouse and keys come in."""
        return self._interactor

    def interactorStyle(self) -> Any:
        """The vtkMRMLSliceViewInteractorStyle: hands events to the displayable managers."""
        return self._style

    def overlayRenderer(self) -> vtk.vtkRenderer:
        """The renderer of everything that lies over the image."""
        return self._overlay_renderer

    def cornerAnnotation(self) -> vtk.vtkCornerAnnotation:
        """Text in the corners of the view."""
        return self._corners

    def displayableManagerByClassName(self, class_name: str) -> Any:
        """One displayable manager, None when there is none of this class."""
        return self._managers.GetDisplayableManagerByClassName(class_name)

    def fitSliceToBackground(self) -> None:
        """Show all of the background volume."""
        self.fit()

    def close(self) -> None:
        """Let go of scene and graphics memory; the view is of no use afterwards. Safe to call twice."""
        for watched, tag in self._observers:
            watched.RemoveObserver(tag)
        self._observers.clear()
        self._render_request = None
        if self._style.GetInteractor() is None:
            return
        self._style.SetInteractor(None)
        self._style.SetDisplayableManagers(None)
        self._managers.SetMRMLDisplayableNode(None)
        self._application_logic.GetSliceLogics().RemoveItem(self._logic)
        self._mapper.RemoveAllInputConnections(0)
        self._logic.SetMRMLScene(None)
        self._window.Finalize()
