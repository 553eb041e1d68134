"""Networks that timm does not have: built by a package that the user installed, found by its entry point.

A bundle names such a network and the package that brings it; it never brings code itself. The package declares, in the entry point
group `osteoscreen.architectures`, a name and a callable

    build(*, classes: int, channels: int, rows: int, columns: int, **options) -> torch.nn.Module

that returns the network with random weights and downloads nothing. The module maps (n, channels, rows, columns) to logits
(n, classes). Whoever installs a package trusts its code; opening a bundle runs none but what is installed already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from torch import nn

GROUP = "osteoscreen.architectures"
GIVEN = ("classes", "channels", "rows", "columns")  # arguments that no bundle may set as options


def build_installed(
    name: str, package: str, options: Mapping[str, Any], shape: tuple[int, int, int], classes: int, owner: str
) -> nn.Module:
    """A network with random weights from the installed package. shape : (channels, rows, columns) of its input. owner : the bundle.

    Raises `InputError` (bundle-architecture) in one sentence: the package or its entry point is not there, or what it builds does
    not give one logit a class.
    """
    import torch

    channels, rows, columns = shape
    entry = _entry_point(name, package, owner)
    try:
        # Random initialisation must not move the caller's random state.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = entry.load()(classes=classes, channels=channels, rows=rows, columns=columns, **options)
    except Exception as error:  # foreign code raises what it likes
        raise _cannot(entry, owner, f"failed to build it ({_first_line(error)}); update the package or") from error
    if not isinstance(network, torch.nn.Module):
        raise _cannot(entry, owner, "built no torch.nn.Module; update the package or")
    was_training = network.training
    try:
        with torch.inference_mode():
            logits = network.eval()(torch.zeros(1, channels, rows, columns))
    except Exception as error:
        raise _cannot(entry, owner, f"built a network that fails on its input ({_first_line(error)}); update it or") from error
    finally:
        network.train(was_training)
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (1, classes):
        raise _cannot(
            entry, owner, f"built a network that does not answer with {classes} logits an image; update the package or"
        )
    return network


def _entry_point(name: str, package: str, owner: str) -> EntryPoint:
    """The one entry point of this name that this package declares."""
    declared = [entry for entry in entry_points(group=GROUP, name=name) if _plain(_package(entry)) == _plain(package)]
    if declared:
        return declared[0]
    raise InputError(
        f'The bundle {owner} needs the network "{name}" of the Python package {package}, which is not installed here, or not in a '
        "version that has it; install the package where OsteoScreen runs its models, if you trust it, or choose another bundle.",
        code="bundle-architecture",
    )


def _package(entry: EntryPoint) -> str:
    return str(entry.dist.name) if entry.dist is not None else ""


def _plain(package: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _cannot(entry: EntryPoint, owner: str, told: str) -> InputError:
    return InputError(
        f'The bundle {owner} needs the network "{entry.name}", but the installed package {_package(entry)} {told} choose another '
        "bundle.",
        code="bundle-architecture",
    )


def _first_line(error: BaseException) -> str:
    words = str(error).strip()
    return words.splitlines()[0][:160] if words else type(error).__name__
