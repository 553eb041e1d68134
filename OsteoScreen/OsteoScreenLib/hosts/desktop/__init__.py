"""The desktop viewer: a small Slicer scene and slice view on the slicer-core wheel, in a Qt window."""
