"""What can go wrong, as one clear sentence for the user."""

from __future__ import annotations


class OsteoScreenError(Exception):
    """A fault whose message is one sentence that tells the user what happened and what to do next."""


class InputError(OsteoScreenError):
    """The input or the options are wrong (exit code 2). `code` names the reason for programs."""

    def __init__(self, message: str, code: str = "input") -> None:
        super().__init__(message)
        self.code = code
