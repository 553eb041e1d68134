"""The panel, written once for PythonQt inside 3D Slicer and for PySide6 on the desktop."""
