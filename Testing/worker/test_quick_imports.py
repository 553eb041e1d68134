"""Imports put off until they are needed: nothing stops working, and what is not needed stays away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from OsteoScreenLib.worker.quick_imports import deferring

MODULE = """
from late.plots import Line, draw
import late.plots as plots
class Curve(Line):
    pass
"""


def run(code: str) -> Any:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def late(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "__init__.py").write_text("loaded = True\n")
    (tmp_path / "late" / "plots.py").write_text("class Line:\n    width = 3\ndef draw(x):\n    return 2 * x\n")
    (tmp_path / "early.py").write_text("from late.plots import Line, draw\nimport late.plots as plots\n")
    (tmp_path / "deriving.py").write_text("from late.plots import Line\nclass Curve(Line):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("late", "late.plots", "early", "deriving"):
        sys.modules.pop(name, None)


def test_a_deferred_name_imports_its_module_when_used(late: None) -> None:
    with deferring(("late", "late.plots")):
        import early  # type: ignore[import-not-found]
    assert "late" not in sys.modules and "late.plots" not in sys.modules
    assert early.draw(21) == 42
    assert "late.plots" in sys.modules
    assert early.Line.width == 3 and early.plots.draw(1) == 2
    import late.plots  # type: ignore[import-not-found]

    assert late.plots.draw(2) == 4 and late.loaded


def test_a_name_used_while_imports_are_put_off_works_too(late: None) -> None:
    with deferring(("late", "late.plots")):
        import deriving  # type: ignore[import-not-found]

        assert deriving.Curve.width == 3
    import late.plots  # type: ignore[import-not-found]

    assert issubclass(deriving.Curve, late.plots.Line)


def test_a_module_that_is_there_already_is_left_alone() -> None:
    with deferring(("json",)):
        import json as same
    assert same is json


def test_an_analysis_does_without_compiler_plots_and_learning() -> None:
    """What `import_quickly` puts off stays away through a prediction and a Grad-CAM, and works when it is wanted."""
    code = """
import json, sys, tempfile, pathlib
from OsteoScreenLib.worker.quick_imports import import_quickly
import_quickly()
from builders import make_classifier, make_radiograph
from OsteoScreenLib.explain.gradcam import grad_cam
with tempfile.TemporaryDirectory() as folder:
    classifier = make_classifier(pathlib.Path(folder) / "tiny")
pixels = make_radiograph().pixels
grad_cam(classifier, pixels)
away = [name for name in ("torch._dynamo", "sklearn", "matplotlib") if name in sys.modules]
from pytorch_grad_cam.utils.image import show_cam_on_image
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_kernel
import numpy, torch
projected = get_2d_projection_kernel(numpy.random.default_rng(0).random((1, 4, 5, 5))).shape
import torch._dynamo, matplotlib.pyplot, sklearn.decomposition, scipy.ndimage
compiled = callable(torch._dynamo.disable) and torch._dynamo.__file__ is not None
print(json.dumps({"away": away, "projected": projected, "compiled": compiled}))
"""
    assert run(code) == {"away": [], "projected": [1, 5, 5], "compiled": True}
