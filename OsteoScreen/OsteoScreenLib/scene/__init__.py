"""MRML: the radiograph, its heatmap, its bones and the saved state in a 3D Slicer scene; the same in both hosts. No Qt."""
