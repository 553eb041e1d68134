"""A reading process with one fault, which it shows at the third file it is given (the first one warms it up): arguments: the fault."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.server import Answer, Server, take_pipes

KIND = sys.argv[1]
count = 0


def read(request: Any, progress: Any) -> Answer:
    global count
    count += 1
    found = {"status": "read", "code": "", "sentence": "", "results": True, "peak_bytes": 1, "printed": ""}
    if count != 3:
        return Answer(found)
    if KIND == "crash":
        os.abort()
    if KIND == "hang":
        time.sleep(60)
    if KIND == "work":
        until = time.process_time() + 20
        while time.process_time() < until:
            pass
    if KIND == "slow":
        time.sleep(2)
    if KIND == "wrong-error":
        raise ValueError("not a sentence")
    if KIND == "two-lines":
        raise InputError("one\ntwo", "odd")
    return Answer(found | {
        "print": {"printed": "a codec's complaint\n"}, "swell": {"peak_bytes": 5 << 30}, "wordless": {"status": "refused"},
    }.get(KIND, {}))  # fmt: skip


incoming, outgoing = take_pipes()
sys.exit(Server(incoming, outgoing, {"read": read}).run())
