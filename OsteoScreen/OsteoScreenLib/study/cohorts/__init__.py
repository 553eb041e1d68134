"""A cohort before it is trained on: what is wrong with its table and its images, and its splits by patient."""
