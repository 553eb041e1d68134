"""A process that reads broken files one after another, for `fuzz` to watch: `python -m OsteoScreenLib.benchmarks.fuzz_reader`.

It answers over the worker's protocol, so that its crash, its silence and its memory are seen from outside and cost one file.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.worker.machine import peak_memory_bytes
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.server import Answer, Progress, Server, take_pipes

_ADDRESS_SPACE = 12 << 30  # a runaway allocation ends here and not in the machine's memory


def read(request: Message, progress: Progress) -> Answer:
    """Body: `path`. Reads the image, checks what was read, and takes from its header what results would carry.

    Answer: `status` "read" or "refused", `code`, `sentence`, `results` (whether DICOM results can be made), `peak_bytes`, and
    `printed`: what came out on stdout or stderr meanwhile.
    """
    from OsteoScreenLib.exchange.dicom.source import source_image
    from OsteoScreenLib.radiograph.read import read_radiograph

    path, found = Path(str(request.body["path"])), {"status": "read", "code": "", "sentence": "", "results": True}
    with listening() as printed:
        try:
            radiograph = read_radiograph(path)
            check(radiograph)
            try:
                source_image(path, radiograph)
            except InputError as error:
                found |= {"results": False, "code": error.code, "sentence": str(error)}
        except InputError as error:
            found |= {"status": "refused", "code": error.code, "sentence": str(error)}
    return Answer({**found, "peak_bytes": peak_memory_bytes(), "printed": "".join(printed)})


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Everything that Python or a C library writes to the descriptors 1 and 2 goes into the list instead, once it is over."""
    told: list[str] = []
    with tempfile.TemporaryFile() as sink:
        kept = [(number, os.dup(number)) for number in (1, 2)]
        for number, _ in kept:
            os.dup2(sink.fileno(), number)
        try:
            yield told
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
            sink.seek(0)
            told.append(sink.read(4096).decode("utf-8", "replace"))


def check(radiograph: Radiograph) -> None:
    """Raise `OsteoScreenError` where something was read that cannot be a radiograph: what comes later relies on it."""
    pixels = radiograph.pixels
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        raise OsteoScreenError("Pixels outside 0 to 1, or that are no numbers, were read.")
    if radiograph.spacing_mm is not None and not all(np.isfinite(one) and one > 0 for one in radiograph.spacing_mm):
        raise OsteoScreenError(f"The spacing {radiograph.spacing_mm} was read.")
    text = [radiograph.view, radiograph.site, *(note.text for note in radiograph.notes)]
    text += [str(one) for name, one in asdict(radiograph.source).items() if name != "path"]
    if not all(one.isprintable() for one in text):
        raise OsteoScreenError("A remark or a fact of the header holds characters that cannot be printed.")
    json.dumps(text).encode()


def read_back(request: Message, progress: Progress) -> Answer:
    """Body: `files`, name → path of DICOM objects that an analysis wrote. Each is read to its last element, the report by our reader."""
    from OsteoScreenLib.exchange.dicom.read_report import read_report
    from OsteoScreenLib.radiograph.dicom import parse_dicom

    count = 0
    for name, path in dict(request.body["files"]).items():
        count += sum(1 for _ in parse_dicom(Path(path).read_bytes(), name).iterall())
        if name == "sr":
            read_report(Path(path))
    return Answer({"elements": count})


def main() -> int:
    """Serve until the pipe closes."""
    incoming, outgoing = take_pipes()
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return Server(incoming, outgoing, {"read": read, "read-back": read_back}).run()


if __name__ == "__main__":
    sys.exit(main())
