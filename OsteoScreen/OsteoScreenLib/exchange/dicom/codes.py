"""Coded concepts of the results: those of DICOM (DCM) and SNOMED CT (SCT) where they exist, else of the private scheme 99OSTEOSCREEN.

Standard codes are checked against highdicom's and pydicom's tables by a test. The private ones never change their meaning: a new
meaning gets a new value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.bones.vocabulary import Code

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

PRIVATE_SCHEME = "99OSTEOSCREEN"
PRIVATE_SCHEME_NAME = "OsteoScreen: opportunistic osteoporosis screening on radiographs"


def private(value: str, meaning: str) -> Code:
    """A term of the private scheme; the value is at most 16 characters."""
    return Code(value, meaning, PRIVATE_SCHEME)


# What segments are (CID 7150 and 7180) and what made them (CID 7162).
ANATOMICAL_STRUCTURE = Code("91723000", "Anatomical Structure")
SPATIAL_CONCEPT = Code("309825002", "Spatial and Relational Concept")
SALIENCY = Code("130404", "Saliency", "DCM")
ARTIFICIAL_INTELLIGENCE = Code("123110", "Artificial Intelligence", "DCM")

# What a picture was made from (CID 7202).
SOURCE_IMAGE = Code("121322", "Source image for image processing operation", "DCM")


def concept(code: Code) -> CodedConcept:
    """The term as highdicom takes it, in content items and code sequences."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)
