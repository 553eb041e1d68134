"""Measurements of this installation: `osteoscreen bench`."""
