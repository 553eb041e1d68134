"""Every failure of the command line as one sentence and an exit code; what a programmer needs goes to the log."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from OsteoScreenLib.errors import InputError, OsteoScreenError

DONE, OUR_FAULT, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
_LARGEST_LOG = 2**20


def log_file() -> Path:
    """The log, in the platform's folder for logs; a large one is put aside as `.old` first."""
    import platformdirs

    folder = os.environ.get("OSTEOSCREEN_LOGS")
    path = (Path(folder) if folder else platformdirs.user_log_path("osteoscreen", appauthor=False)) / "osteoscreen.log"
    try:
        if path.stat().st_size > _LARGEST_LOG:
            os.replace(path, path.with_suffix(".old"))
    except OSError:
        pass
    return path


def write_log(text: str) -> Path | None:
    """Append to the log and return its path; None where it cannot be written, which is no reason to fail."""
    try:
        path = log_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text.rstrip()}\n")
    except OSError:
        return None
    return path


def exit_code(error: BaseException) -> int:
    """2 for the user's input and options, 130 for Ctrl-C, else 1."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, InputError) or _is_usage(error):
        return WRONG_INPUT
    return OUR_FAULT


def sentence_of(error: BaseException) -> str:
    """One sentence, whatever was raised. Unexpected errors are logged, and the sentence says where."""
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return "Cancelled."
    if _is_usage(error):
        text = " ".join(error.format_message().replace("Value error, ", "").split())  # type: ignore[attr-defined]
        command = getattr(getattr(error, "ctx", None), "command_path", None) or "osteoscreen"
        return f"{text.rstrip('.')}; see '{command} --help'."
    if isinstance(error, OsteoScreenError):
        details = getattr(error, "details", "")
        if not details:
            return str(error)
        log = write_log(details)
        return (
            str(error) if log is None or isinstance(error, InputError) else f"{str(error).rstrip('.')}; details are in {log}."
        )
    log = write_log("".join(traceback.format_exception(error)))
    reason = " ".join(str(error).split())[:200]
    text = f"An unexpected fault in OsteoScreen stopped the command ({type(error).__name__}{': ' if reason else ''}{reason})"
    return f"{text}; details are in {log}." if log else f"{text}."


def show_traceback(error: BaseException) -> None:
    """The traceback on stderr, for `--debug`; the inference process's own where it has one."""
    print(getattr(error, "details", "") or "".join(traceback.format_exception(error)), file=sys.stderr)


def _is_usage(error: BaseException) -> bool:
    # Typer brings its own copy of Click in newer releases, so its errors are known by what they can do.
    return hasattr(error, "format_message") and getattr(error, "exit_code", None) == WRONG_INPUT
