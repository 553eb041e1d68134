"""Simulated radiographs with known bones: meshes and CT posed, projected along real rays and turned into pixels."""
