"""Cohorts, training and evaluation; for now the training of the embedded segmenter, gate and classifier on simulated images."""
