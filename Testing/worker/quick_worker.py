"""The real worker with a gate that lets everything pass and bones drawn at fixed places, for tests without embedded models.

Everything else is real: reading, the classifier of the bundle it is given, saliency, covering, the files.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from OsteoScreenLib.worker.server import Server, take_pipes


class FixedGate:
    """Takes every image for an upright picture of its site, except very wide ones."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def inspect(self, radiograph: Any) -> Any:
        from OsteoScreenLib.bones.gate import GateReport
        from OsteoScreenLib.radiograph.radiograph import Placement

        fits = radiograph.shape[1] < 3 * radiograph.shape[0]
        return GateReport(fits, float(fits), Placement(), False, 1.0, False, self.site)


class FixedBones:
    """Some bones at fixed shares of the image."""

    name = "fixed"

    def __init__(self, site: Any) -> None:
        self.site = site

    def segment(self, radiograph: Any) -> Any:
        from builders import make_knee_masks, make_masks

        if "TEST_SEGMENTER_MARK" in os.environ:  # tells a test that this point was reached, then gives it time
            Path(os.environ["TEST_SEGMENTER_MARK"]).write_text(str(os.getpid()))
            time.sleep(float(os.environ["TEST_SEGMENTER_SECONDS"]))
        return make_knee_masks(radiograph.shape) if self.site.name == "knee" else make_masks(radiograph.shape)


def main() -> int:
    incoming, outgoing = take_pipes()
    from OsteoScreenLib.worker.models import Models
    from OsteoScreenLib.worker.pipeline import Pipeline

    class FixedModels(Models):
        def gate(self, site: Any) -> Any:
            return FixedGate(site)

        def segmenter(self, choice: str, device: str, site: Any) -> Any:
            return FixedBones(site)

    server = Server(incoming, outgoing, {})
    server.handlers.update(Pipeline(server.writing_files, FixedModels()).handlers())
    return server.run()


if __name__ == "__main__":
    sys.exit(main())
