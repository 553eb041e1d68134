"""DICOM files broken in known ways, the same for the same seed: what reading must survive."""
