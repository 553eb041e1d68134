"""How good a classifier's predictions are on a cohort: discrimination, decisions, calibration, use, and where it fails."""
