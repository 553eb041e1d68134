"""File, DICOM data set or volume → one upright, bones-bright `Radiograph`."""
