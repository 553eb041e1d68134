"""`python -m OsteoScreenLib.worker.library_check`: do the libraries of an analysis import in this Python, and does torch compute?

Runs in a process of its own: a torch that is only half installed can end the process that imports it. Prints one line that
begins with `MARK`, and imports nothing but the standard library before it begins.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import json
import sys
import traceback
from typing import Any

MARK = "library-check "

MODULES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "peft": "peft",
    "safetensors": "safetensors.torch",
    "grad-cam": "pytorch_grad_cam",
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "Pillow": "PIL.Image",
    "pydicom": "pydicom",
    "pylibjpeg": "pylibjpeg",
    "pylibjpeg-libjpeg": "libjpeg",
    "pylibjpeg-openjpeg": "openjpeg",
    "pylibjpeg-rle": "rle",
    "pyjpegls": "jpeg_ls",
    "highdicom": "highdicom",
    "dicomweb-client": "dicomweb_client",
    "pynetdicom": "pynetdicom",
    "SimpleITK": "SimpleITK",
    "slicerio": "slicerio",
    "Jinja2": "jinja2",
    "platformdirs": "platformdirs",
    "psutil": "psutil",
}
"""What the worker imports, by the name under which it is installed."""

NEED_TORCH = ("torchvision", "timm", "peft", "safetensors", "grad-cam")
"""Without torch these cannot be imported, whatever their own state; then it is only asked whether they are installed."""

NOT_IMPORTED = ("qtpy", "typer", "rich")
"""Only the desktop viewer and the command line use these; it is enough that they are installed."""


def check() -> dict[str, Any]:
    """What is there: {"versions": {name: version}, "missing": [name], "broken": {name: [kind of error, message]}}."""
    versions: dict[str, str] = {}
    missing: list[str] = []
    broken: dict[str, tuple[str, str]] = {}
    for name in (*MODULES, *NOT_IMPORTED, "vtk"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = str(importlib.metadata.version(name))
    missing += [name for name in NOT_IMPORTED if name not in versions]
    for name, module in MODULES.items():
        if name in NEED_TORCH and ("torch" in missing or "torch" in broken):
            if name not in versions:
                missing.append(name)
            continue
        # Where the process ends in the middle, the last of these lines says with which library.
        print(f"importing {name}", file=sys.stderr, flush=True)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(module)
                if name == "torch":
                    _compute()
        except ModuleNotFoundError as error:
            if error.name in (module, module.partition(".")[0]):
                missing.append(name)
            else:
                broken[name] = _described(error)
        except Exception as error:
            broken[name] = _described(error)
    return {"versions": versions, "missing": missing, "broken": broken}


def _compute() -> None:
    """A small calculation, on the processor: what breaks here would break every answer."""
    import torch

    if not hasattr(torch, "tensor"):
        # An empty folder is left behind where an installation or removal of torch was cut short; Python imports it gladly.
        raise ImportError("torch is an empty folder")
    product = torch.arange(6.0).reshape(2, 3) @ torch.ones(3, 2)
    if product.tolist() != [[3.0, 3.0], [12.0, 12.0]]:
        raise ArithmeticError(f"torch computed {product.tolist()}")
    import numpy

    if float(torch.from_numpy(numpy.ones(3, numpy.float32)).sum()) != 3.0:
        raise ArithmeticError("torch and NumPy do not understand each other")


def _described(error: BaseException) -> tuple[str, str]:
    traceback.print_exception(error)
    return type(error).__name__, " ".join(str(error).split())[:400]


if __name__ == "__main__":
    found = json.dumps(check())
    print(MARK + found, flush=True)
