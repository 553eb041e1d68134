"""One case on the table: the client of the worker process and the state behind a panel. No Qt, no Slicer, no torch."""
