"""Named bones: the vocabulary of each body site, their masks on a radiograph, and the segmenters that draw them."""
