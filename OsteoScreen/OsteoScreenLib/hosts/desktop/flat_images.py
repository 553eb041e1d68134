"""Bone outlines blended into the slice image before it is drawn.

The displayable managers draw each label layer as an image as large as the view. Without a GPU each costs as much as the
radiograph itself, though nearly all of its pixels are transparent; blending only those that are not takes a fraction of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

DENSEST = 0.25  # share of pixels that are not transparent, above which OpenGL is as fast


@dataclass(frozen=True)
class _Sparse:
    """The pixels of one layer that are not transparent. places : flat indices. colours : (n, 4) uint8. opaque : all of them.

    image, changed : what they were taken from.
    """

    image: Any
    changed: int
    places: np.ndarray
    colours: np.ndarray
    opaque: bool


class FlatImages:
    """Blends what can be blended; the rest stays with OpenGL. Nothing that others see of the actors is changed."""

    def __init__(self) -> None:
        self._known: dict[Any, _Sparse] = {}
        self._blended = vtk.vtkImageData()

    def blend(self, base: Any, renderer: Any) -> tuple[Any, list[Any]]:
        """Blend the renderer's image actors over an RGBA image of the view's size.

        Returns the image to draw (`base` itself where there is nothing to blend) and the actors that must not be drawn too.
        """
        layers = self._layers(base, renderer)
        self._known = layers
        if not layers:
            return base, []
        self._blended.DeepCopy(base)
        pixels = vtk_to_numpy(self._blended.GetPointData().GetScalars())
        for layer in layers.values():
            _over(pixels, layer)
        self._blended.Modified()
        return self._blended, list(layers)

    def _layers(self, base: Any, renderer: Any) -> dict[Any, _Sparse]:
        found: dict[Any, _Sparse] = {}
        actors = renderer.GetActors2D()
        for index in range(actors.GetNumberOfItems()):
            actor = actors.GetItemAsObject(index)
            image = _image_of(actor, base)
            if image is None:
                continue
            known = self._known.get(actor)
            if known is None or known.image is not image or known.changed != image.GetMTime():
                known = _sparse(image)
            if len(known.places) > DENSEST * image.GetNumberOfPoints():
                return {}  # blending some would change which of them lies above
            found[actor] = known
        return found


def _image_of(actor: Any, base: Any) -> Any:
    """The up-to-date RGBA image that an actor draws over the whole view, None when it draws anything else."""
    if actor is None or not actor.GetVisibility() or actor.GetProperty().GetOpacity() != 1.0:
        return None
    mapper = actor.GetMapper()
    if mapper is None or not mapper.IsA("vtkImageMapper") or mapper.GetInputAlgorithm() is None:
        return None
    mapper.GetInputAlgorithm().Update()
    image = mapper.GetInput()
    plain = image is not None and image.GetScalarType() == vtk.VTK_UNSIGNED_CHAR and image.GetNumberOfScalarComponents() == 4
    return image if plain and image.GetExtent() == base.GetExtent() and actor.GetPosition() == (0.0, 0.0) else None


def _sparse(image: Any) -> _Sparse:
    pixels = vtk_to_numpy(image.GetPointData().GetScalars())
    # Four bytes at a time is ten times faster than every fourth byte. Transparent pixels are black, or sorted out.
    places = np.flatnonzero(pixels.view(np.uint32) != 0)
    colours = pixels[places]
    visible = colours[:, 3] > 0
    if not visible.all():
        places, colours = places[visible], colours[visible]
    return _Sparse(image, image.GetMTime(), places, colours, bool((colours[:, 3] == 255).all()))


def _over(pixels: np.ndarray, layer: _Sparse) -> None:
    """Lay one layer over uint8 RGBA pixels (n, 4), as OpenGL blends straight alpha."""
    if layer.opaque:
        pixels[layer.places] = layer.colours
        return
    above, below = layer.colours.astype(np.float32), pixels[layer.places].astype(np.float32)
    share = above[:, 3:] / 255
    rest = below[:, 3:] / 255 * (1 - share)
    alpha = share + rest
    mixed = np.empty_like(below)
    mixed[:, :3] = (above[:, :3] * share + below[:, :3] * rest) / alpha
    mixed[:, 3:] = 255 * alpha
    pixels[layer.places] = np.rint(mixed).astype(np.uint8)
