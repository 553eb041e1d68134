"""OsteoScreen: opportunistic osteoporosis screening on radiographs, with named bones and tested explanations.

Research use only. Importing this package is cheap: torch, Qt, vtk and slicer are never imported here.
"""

__version__ = "0.1.0"
