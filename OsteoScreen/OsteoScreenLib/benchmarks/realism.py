"""`osteoscreen bench realism`: simulated radiographs beside real ones, in figures and to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.realism import DECILES, Comparison, compare_looks, contact_sheet, look_of, plot_looks, upright_pixels

if TYPE_CHECKING:
    from rich.table import Table

MOST = 24  # simulated images on the sheet


@dataclass(frozen=True)
class Realism:
    """What was measured. real : names of the files, left_out : names and why."""

    comparison: Comparison
    real: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        both = self.comparison
        return {
            "real": {
                name: {"slope": round(look.slope, 3), "deciles": [round(float(grey), 3) for grey in look.deciles]}
                for name, look in zip(self.real, both.real, strict=True)
            },
            "left_out": dict(self.left_out),
            "simulated": len(both.simulated),
            "slopes_inside": both.slopes_inside,
            "deciles_inside": dict(zip(map(str, DECILES), both.deciles_inside, strict=True)),
            "all_inside": both.all_inside,
            "real_inside_the_other_real": both.real_inside,
        }

    def as_table(self) -> Table:
        """For the terminal."""
        from rich.table import Table

        both = self.comparison
        table = Table(title=f"{len(both.simulated)} simulated radiographs within the range of {len(both.real)} real ones")
        for column in ("figure", "real, least to greatest", "simulated, least to greatest", "inside"):
            table.add_column(column)
        slopes = [[look.slope for look in looks] for looks in (both.real, both.simulated)]
        table.add_row("slope of the spectrum", *(f"{min(s):.2f} to {max(s):.2f}" for s in slopes), str(both.slopes_inside))
        for place, share in enumerate(DECILES):
            greys = [[look.deciles[place] for look in looks] for looks in (both.real, both.simulated)]
            table.add_row(
                f"grey value, {share} %", *(f"{min(g):.2f} to {max(g):.2f}" for g in greys), str(both.deciles_inside[place])
            )
        table.add_row("all of them", "", "", str(both.all_inside))
        table.add_row("all of them, each real one among the others", "", "", f"{both.real_inside} of {len(both.real)}")
        table.caption = "\n".join(f"left out: {name}: {reason}" for name, reason in self.left_out)
        return table


def measure_realism(real: Path, simulated: Path, out: Path) -> Realism:
    """Compare the first images of a cohort with a folder of real files; write realism.png, simulated.jpg and, with the real ones
    beside them, sheet.png into `out`.

    Raises `InputError` (no-images) when either folder has none.
    """
    from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
    from OsteoScreenLib.radiograph.read import read_radiograph
    from OsteoScreenLib.worker.models import Models

    gate = Models().gate(CHEST_FRONTAL)
    assert gate is not None  # it ships with OsteoScreen
    pictures, names, left_out = [], [], []
    for path in sorted(real.iterdir()) if real.is_dir() else []:
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            pictures.append(upright_pixels(path, gate))
            names.append(path.name)
        except InputError as error:
            left_out.append((path.name, str(error)))
    drawn = [read_radiograph(path).pixels for path in sorted((simulated / "images").glob("*.dcm"))[:MOST]]
    for found, folder in ((pictures, real), (drawn, simulated)):
        if not found:
            raise InputError(
                f"There is no frontal chest radiograph to measure in {folder}; give another folder.", code="no-images"
            )
    out.mkdir(parents=True, exist_ok=True)
    comparison = compare_looks([look_of(one) for one in pictures], [look_of(one) for one in drawn])
    plot_looks(comparison, out / "realism.png")
    contact_sheet(drawn, pictures, out / "sheet.png")
    contact_sheet(drawn, [], out / "simulated.jpg")
    return Realism(comparison, tuple(names), tuple(left_out))
