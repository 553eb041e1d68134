"""The applications that hold the panel: 3D Slicer, and the desktop viewer."""
