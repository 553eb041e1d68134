"""Training a classifier on anyone's cohort: a backbone, a way to tune it, a run folder that a killed run goes on in, a bundle."""
