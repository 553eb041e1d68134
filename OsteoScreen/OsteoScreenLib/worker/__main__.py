"""`python -m OsteoScreenLib.worker`: serve one client over stdin and stdout until its pipe closes."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Take the pipes before anything can print, then serve."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # no network unless the user starts it
    from OsteoScreenLib.worker.server import Server, take_pipes

    incoming, outgoing = take_pipes()
    from OsteoScreenLib.worker.pipeline import Pipeline

    server = Server(incoming, outgoing, {})
    server.handlers.update(Pipeline(server.writing_files).handlers())
    return server.run()


if __name__ == "__main__":
    sys.exit(main())
