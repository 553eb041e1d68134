"""Whether the packages of an extra are there, before a command needs them."""

from __future__ import annotations

from importlib.util import find_spec

from OsteoScreenLib.errors import InputError


def require(extra: str, *names: str) -> None:
    """Raise `InputError` (packages) that says how to install the extra, when one of its packages cannot be imported."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise InputError(
            f"This command needs more packages ({', '.join(missing)}); install them with 'pip install osteoscreen[{extra}]', or from "
            f"requirements-{extra}.txt.",
            code="packages",
        )
