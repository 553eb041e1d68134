"""What tissues are made of, and how strongly they weaken X-rays (mass attenuation from xraydb, after Elam et al. 2002)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Material:
    """A tissue: density in g/cm³ and mass fractions of its elements."""

    density: float
    elements: tuple[tuple[str, float], ...]


# Compositions of ICRU Report 44 (1989), spongiosa of ICRU Report 46 (1992); fractions below 0.3 % left out.
MATERIALS: dict[str, Material] = {
    "water": Material(1.0, (("H", 0.1119), ("O", 0.8881))),
    "soft tissue": Material(1.05, (("H", 0.102), ("C", 0.143), ("N", 0.034), ("O", 0.71), ("P", 0.003), ("S", 0.003))),
    "fat": Material(0.95, (("H", 0.114), ("C", 0.598), ("N", 0.007), ("O", 0.278))),
    "lung": Material(0.26, (("H", 0.103), ("C", 0.105), ("N", 0.031), ("O", 0.749), ("S", 0.003), ("Cl", 0.003))),
    "air": Material(0.0012, (("N", 0.755), ("O", 0.232), ("Ar", 0.013))),
    "cortical bone": Material(
        1.92, (("H", 0.034), ("C", 0.155), ("N", 0.042), ("O", 0.435), ("P", 0.103), ("S", 0.003), ("Ca", 0.225))
    ),
    "spongiosa": Material(1.18, (("H", 0.085), ("C", 0.404), ("N", 0.028), ("O", 0.367), ("P", 0.034), ("Ca", 0.074))),
    "marrow": Material(1.0, (("H", 0.11), ("C", 0.53), ("N", 0.021), ("O", 0.335))),
    "cartilage": Material(
        1.10, (("H", 0.096), ("C", 0.099), ("N", 0.022), ("O", 0.744), ("Na", 0.005), ("P", 0.022), ("S", 0.009))
    ),
    "calcified cartilage": Material(1.30, (("H", 0.08), ("C", 0.10), ("N", 0.022), ("O", 0.65), ("P", 0.05), ("Ca", 0.10))),
    "hydroxyapatite": Material(3.16, (("H", 0.002), ("O", 0.414), ("P", 0.185), ("Ca", 0.399))),
    "aluminium": Material(2.70, (("Al", 1.0),)),
}


# Thickness of the cortex by bone group, millimetres: what cortices of ribs, vertebrae and long bones measure about.
CORTEX_MM = {
    "Spine": 0.9,
    "Right ribs": 0.9,
    "Left ribs": 0.9,
    "Clavicles": 1.6,
    "Scapulae": 1.0,
    "Sternum": 0.9,
    "Humeri": 2.6,
}


def density_of_material(name: str) -> float:
    """g/cm³."""
    return MATERIALS[name].density


@lru_cache(maxsize=4096)
def attenuation_per_mm(material: str, energy_kev: float) -> float:
    """Linear attenuation coefficient of a material at one photon energy, 1/mm."""
    import xraydb

    made_of = MATERIALS[material]
    total = sum(fraction for _, fraction in made_of.elements)
    mass = sum(fraction / total * float(xraydb.mu_elam(element, energy_kev * 1000.0)) for element, fraction in made_of.elements)
    return mass * made_of.density / 10
