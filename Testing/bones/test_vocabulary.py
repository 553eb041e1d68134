"""The vocabulary is consistent, and its codes are the ones the standards use."""

from __future__ import annotations

import itertools

import pytest

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE, SITES, Site, site_named
from OsteoScreenLib.errors import InputError


def test_every_bone_of_a_frontal_chest_once() -> None:
    names = [bone.name for bone in CHEST_FRONTAL.bones]
    assert len(names) == len(set(names)) == 15 + 24 + 2 + 2 + 1 + 2
    assert list(CHEST_FRONTAL.groups) == ["Spine", "Right ribs", "Left ribs", "Clavicles", "Scapulae", "Sternum", "Humeri"]


def test_every_bone_of_both_knees_once() -> None:
    assert list(KNEE.groups) == ["Femora", "Tibiae", "Fibulae", "Patellae"]
    assert [bone.name for bone in KNEE.bones] == [
        f"{side} {noun}" for noun in ("femur", "tibia", "fibula", "patella") for side in ("right", "left")
    ]


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_a_site_is_whole(site: Site) -> None:
    """What is particular to a site is data: every group that it names exists, and a mirror is its own inverse."""
    assert SITES[site.name] is site and site_named(site.name) is site
    assert set(site.counted) <= set(site.groups) and set(site.named_first) == set(site.groups)
    assert site.image and all(word == word.upper() for word in site.tag_words)
    assert all(site.mirrored[site.mirrored[name]] == name and site.mirrored[name] in site.by_name for name in site.by_name)
    assert {name for name, other in site.mirrored.items() if name == other} == {
        bone.name for bone in site.bones if bone.side == "midline"
    }


def test_an_unknown_site_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"'elbow' is not known; known are chest-frontal, knee\.$"):
        site_named("elbow")


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_sides_agree_with_names_and_codes(site: Site) -> None:
    for bone in site.bones:
        for side, code in (("right", "24028007"), ("left", "7771000")):
            assert (bone.side == side) == bone.name.startswith(f"{side} ")
            assert (bone.side == side) == (bone.side_code is not None and bone.side_code.value == code)


def test_codes_agree_with_dicoms_dictionary() -> None:
    from pydicom.sr.codedict import codes

    meanings = {code.value: code.meaning for name in codes.SCT.dir() for code in [getattr(codes.SCT, name)]}
    known = [bone for site in SITES.values() for bone in site.bones if bone.code.value in meanings]
    assert {bone.group for bone in known} == {"Spine", "Clavicles", "Scapulae", "Sternum", "Humeri", *KNEE.groups}
    for bone in known:
        assert meanings[bone.code.value] == bone.code.meaning
    ribs = {(bone.code.value, bone.side) for bone in CHEST_FRONTAL.bones if "rib " in bone.name}
    assert len(ribs) == 24


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_colours_differ_within_neighbours(site: Site) -> None:
    bones = site.bones
    for first, second in itertools.pairwise(bones):
        if first.group == second.group:
            assert first.colour != second.colour


def test_words_expand_to_bones_in_display_order() -> None:
    assert CHEST_FRONTAL.expand(["left_rib_2", "Spine", "LEFT RIB 2"])[-1] == "left rib 2"
    assert len(CHEST_FRONTAL.expand(["all"])) == len(CHEST_FRONTAL.bones)
    with pytest.raises(InputError, match=r"no bone or group called 'femur'.*Right ribs"):
        CHEST_FRONTAL.expand(["femur"])
