"""Pseudonymised copies of radiographs (DICOM PS3.15, Annex E), and text that is burned into pixels."""
