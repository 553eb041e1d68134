"""The study's comparison on anyone's cohort: backbones × tunings, one table beside the published values, and the reports."""
