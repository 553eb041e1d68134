"""Names of segmented structures, as TotalSegmentator gives them, and the bones of the vocabulary that they mean.

Names: Wasserthal et al. 2023, TotalSegmentator, task "total".
"""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError

SIDES = ("right", "left")
NECK_AND_LOINS = ("C3", "C4", "C5", "C6", "L3", "L4", "L5")
ORGANS: dict[str, tuple[str, ...]] = {
    "right lung": ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right", "lung_right"),
    "left lung": ("lung_upper_lobe_left", "lung_lower_lobe_left", "lung_left"),
    "heart": ("heart", "atrial_appendage_left"),
    "airway": ("trachea",),
}
_OTHERS = """spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right adrenal_gland_left esophagus
thyroid_gland small_bowel duodenum colon urinary_bladder prostate kidney_cyst_left kidney_cyst_right sacrum vertebrae_S1 vertebrae_C1
vertebrae_C2 aorta pulmonary_vein brachiocephalic_trunk subclavian_artery_right subclavian_artery_left common_carotid_artery_right
common_carotid_artery_left brachiocephalic_vein_left brachiocephalic_vein_right superior_vena_cava inferior_vena_cava
portal_vein_and_splenic_vein iliac_artery_left iliac_artery_right iliac_vena_left iliac_vena_right femur_left femur_right hip_left
hip_right spinal_cord gluteus_maximus_left gluteus_maximus_right gluteus_medius_left gluteus_medius_right gluteus_minimus_left
gluteus_minimus_right autochthon_left autochthon_right iliopsoas_left iliopsoas_right brain skull costal_cartilages carpal"""


def structure_of(bone: str) -> str:
    """TotalSegmentator's name of a bone: "right rib 5" → "rib_right_5", "T7" → "vertebrae_T7"."""
    words = bone.split()
    if len(words) == 1:
        return bone if bone == "sternum" else f"vertebrae_{bone}"
    noun = "clavicula" if words[1] == "clavicle" else words[1]
    return "_".join([noun, words[0], *words[2:]])


BONES: dict[str, str] = {structure_of(bone): bone for bone in (*CHEST_FRONTAL.by_name, *NECK_AND_LOINS)}
KNOWN = frozenset((*BONES, *(name for parts in ORGANS.values() for name in parts), *_OTHERS.split()))


def normalised(name: str) -> str:
    """A structure's name as TotalSegmentator writes it: "Rib left 5" → "rib_left_5", "vertebrae t7" → "vertebrae_T7"."""
    words = name.strip().replace("-", " ").replace("_", " ").split()
    joined = "_".join(word.lower() for word in words)
    return next((known for known in KNOWN if known.lower() == joined), joined)


def check_names(names: Iterable[str]) -> None:
    """Refuse names that are not TotalSegmentator's, in one sentence that names the nearest known ones.

    Raises `InputError` (label-names).
    """
    unknown = [name for name in names if normalised(name) not in KNOWN]
    if unknown:
        near = difflib.get_close_matches(normalised(unknown[0]), sorted(KNOWN), 1, 0.4)
        hint = f", perhaps {near[0]}" if near else ""
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise InputError(
            f"The labels hold structures with unknown names: '{unknown[0]}'{hint}{more}; use TotalSegmentator's names, such as "
            "rib_left_5, vertebrae_T7, clavicula_right or lung_upper_lobe_left.",
            code="label-names",
        )


def read_names(path: Path) -> Mapping[str, int]:
    """Structure → label from a CSV (columns structure and id) or a JSON ({"1": "spleen", …} or {"spleen": 1, …}).

    Raises `InputError` (label-names).
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            held = json.loads(text)
            pairs = [(key, value) if isinstance(value, int) else (value, int(key)) for key, value in held.items()]
        else:
            pairs = [(row["structure"], int(row["id"])) for row in csv.DictReader(text.splitlines())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path.name} could not be read as a table of labels; give a CSV with the columns structure and id, or a JSON.",
            code="label-names",
        ) from error
    check_names(name for name, _ in pairs)
    for name, number in pairs:
        if number < 1:
            raise InputError(
                f"{path.name} gives '{name}' the label {number}, which is the background's; number structures from 1.",
                code="label-names",
            )
    return {normalised(name): number for name, number in pairs}
