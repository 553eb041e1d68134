"""Results as DICOM objects that any viewer and archive reads, and such objects read back. highdicom builds them."""
