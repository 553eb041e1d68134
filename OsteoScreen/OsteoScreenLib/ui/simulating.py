"""Radiographs made from a CT in the scene: what can be chosen, and the request that makes one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.scene.thorax_volume import scans_in_scene, segmentations_in_scene, thorax_of
from OsteoScreenLib.scene.volume_image import node_of
from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.desk import Desk


class Simulating:
    """Hands a CT and its structures to the worker and opens the radiograph that comes back.

    open_file : called with the new DICOM file.
    """

    def __init__(self, desk: Desk, open_file: Callable[[str], object]) -> None:
        self._desk = desk
        desk.simulated.connect(open_file)

    @property
    def choices(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(CT, segmentations) of the scene as (id, name); empty while no scene is there."""
        return scans_in_scene(), segmentations_in_scene()

    def simulate(self, scan_id: str, segmentation_id: str, t_score: float, folder: str = "") -> None:
        """Make a radiograph of this CT. folder : for the files; a new one among the temporary files when empty.

        Raises InputError when one of the nodes is gone or they do not fit.
        """
        scan, segmentation = node_of(scan_id), node_of(segmentation_id)
        if scan is None or segmentation is None:
            raise InputError("The CT or its segmentation is no longer in the scene; choose again.", "thorax-volume")
        thorax = thorax_of(scan, segmentation)
        out = folder or str(Path(tempfile.mkdtemp(prefix="osteoscreen-simulated-")))
        body = messages.simulate_request(thorax.name, out, t_score, thorax.ijk_to_lps, thorax.structures)
        self._desk.simulate(body, {"volume": thorax.voxels, "labels": thorax.labels})
