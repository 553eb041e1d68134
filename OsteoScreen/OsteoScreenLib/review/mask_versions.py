"""`MaskVersions`: the corrected masks of one case, each set a version of its own, never written over an older one.

A version is two files beside each other: the masks as a 3D Slicer segmentation, and a JSON file that says who made them, when and
from which. The JSON file is written last; without it there is no version. Names hold author, machine and number, so the folders
of several machines are merged by copying their files into one.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.dice import dice
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.bones.vocabulary import Site, site_named
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file, write_text
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.review.nouns import checked_code

FORMAT_VERSION = 1
MODELS_OWN = 0  # number of the masks that the model has drawn; they are no `MaskVersion`
METHOD = "corrected by a reader"
_NAME = re.compile(r"(?P<author>[^@]+)@(?P<machine>[^@]+)-(?P<number>\d{4,})")


@dataclass(frozen=True)
class MaskVersion:
    """One corrected set of masks.

    author, machine : codes of who made it, and where. number : 1, 2, 3 … among all versions of this author that were there.
    at : UTC, ISO 8601, by the clock of that machine. based_on : name of the version that was corrected, "" for the model's own
    masks. changed : bones that differ from those, in the vocabulary's order. sha256 : of the masks (`BoneMasks.sha256`),
    base_sha256 : of those that were corrected. dice : Dice with the model's own mask of each bone that differs from it; of all others
    it is 1. site : body site. app : version of OsteoScreen.
    """

    author: str
    machine: str
    number: int
    at: str
    based_on: str
    changed: tuple[str, ...]
    sha256: str
    base_sha256: str
    dice: tuple[tuple[str, float], ...]
    site: str
    app: str = ""

    @property
    def name(self) -> str:
        """Unique in its case: "AUTHOR@MACHINE-0001"."""
        return f"{self.author}@{self.machine}-{self.number:04d}"


class MaskVersions:
    """The versions in one case's folder, which is made with the first of them.

    machine : this computer's code.
    """

    def __init__(self, folder: Path, machine: str) -> None:
        self.folder, self.machine = Path(folder), checked_code(machine, "machine's code")

    def save(
        self,
        masks: BoneMasks,
        radiograph: Radiograph,
        author: str,
        own: BoneMasks,
        base: BoneMasks | None = None,
        based_on: MaskVersion | None = None,
    ) -> MaskVersion:
        """Keep `masks` as a new version; it is on the disk when this returns.

        radiograph : that they lie on. own : the model's masks. base : the masks that were corrected, `based_on` their version; None
        for the model's own.

        Raises
        ------
        InputError
            When no bone differs from those that were corrected.
        OsteoScreenError
            When the disk is full or may not be written to; no version is left half written.
        """
        author, base = checked_code(author), own if base is None else base
        mine, former = masks.digests, base.digests
        changed = tuple(name for name in masks.site.by_name if mine.get(name) != former.get(name))
        if not changed:
            raise InputError("No bone was changed, so there is nothing to save.", code="unchanged")
        number = self._claim(author)
        version = MaskVersion(
            author,
            self.machine,
            number,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            based_on.name if based_on is not None else "",
            changed,
            masks.sha256,
            base.sha256,
            tuple(
                (name, round(value, 6)) for name, value in dice(own, masks).items() if mine.get(name) != own.digests.get(name)
            ),
            masks.site.name,
            __version__,
        )
        try:
            self._write(version, masks, radiograph)
        except (OSError, OsteoScreenError) as error:
            self._masks_file(version.name).unlink(missing_ok=True)
            raise self._not_saved(error) from error
        return version

    def all(self, author: str = "") -> tuple[MaskVersion, ...]:
        """Every version, or one author's, from the first to the last. Files that are no versions are passed over."""
        found = (self._read(path) for path in sorted(self.folder.glob("*@*.json")))
        wanted = [version for version in found if version is not None and author in ("", version.author)]
        # A clock may jump; a number is above all that its author had before.
        return tuple(sorted(wanted, key=lambda version: (version.number, version.at, version.name)))

    def latest(self, author: str) -> MaskVersion | None:
        """An author's last version; None before the first. Readers are not shown each other's."""
        versions = self.all(author)
        return versions[-1] if versions else None

    def load(self, version: MaskVersion) -> BoneMasks:
        """The masks of a version, without facts (see `BoneMasks.corrected_from`).

        Raises `InputError` when they are not there, or not those that were saved.
        """
        path = self._masks_file(version.name)
        try:
            facts = json.loads(self._facts_file(version.name).read_text("utf-8"))
            if sha256_of_file(path) == facts["file_sha256"]:
                rows, columns = facts["shape"]
                masks = _masks_in(path, (int(rows), int(columns)), site_named(version.site))
                if masks.sha256 == version.sha256:
                    return masks
        except (OSError, KeyError, TypeError, ValueError):
            pass
        raise InputError(
            f"The corrected masks {version.name} are missing or damaged; copy them from the computer that made them, "
            "or go on from an earlier version.",
            code="masks-damaged",
        )

    def dice(self, one: MaskVersion, other: MaskVersion) -> dict[str, float]:
        """Bone → Dice between two versions; see `bones.dice.dice`."""
        return dice(self.load(one), self.load(other))

    # Inside

    def _masks_file(self, name: str) -> Path:
        return self.folder / f"{name}.seg.nrrd"

    def _facts_file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _claim(self, author: str) -> int:
        """The next number, held by an empty file that nobody else can have made."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            taken = [
                int(match["number"])
                for path in self.folder.iterdir()
                if (match := _NAME.match(path.name)) and match["author"] == author
            ]
            number = max(taken, default=0)
            while True:
                number += 1
                try:
                    os.close(
                        os.open(self._masks_file(f"{author}@{self.machine}-{number:04d}"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                    )
                    return number
                except FileExistsError:
                    continue
        except OSError as error:
            raise self._not_saved(error) from error

    def _write(self, version: MaskVersion, masks: BoneMasks, radiograph: Radiograph) -> None:
        path = self._masks_file(version.name)
        write_seg_nrrd(path, masks, radiograph)
        facts: dict[str, Any] = {"format_version": FORMAT_VERSION, "name": version.name, **asdict(version)}
        facts |= {"shape": list(masks.shape), "bones": masks.digests, "file_sha256": sha256_of_file(path)}
        write_text(self._facts_file(version.name), json.dumps(facts, indent=1) + "\n")

    def _read(self, path: Path) -> MaskVersion | None:
        try:
            facts = json.loads(path.read_text("utf-8"))
            if facts["format_version"] != FORMAT_VERSION:
                return None
            words = {
                name: str(facts[name])
                for name in ("author", "machine", "at", "based_on", "sha256", "base_sha256", "site", "app")
            }
            agreement = tuple((str(name), float(value)) for name, value in facts["dice"])
            changed = tuple(map(str, facts["changed"]))
            version = MaskVersion(number=int(facts["number"]), changed=changed, dice=agreement, **words)
        except (OSError, KeyError, TypeError, ValueError):
            return None
        return version if version.name == path.stem else None

    def _not_saved(self, error: Exception) -> OsteoScreenError:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        return OsteoScreenError(
            f"The corrected masks could not be saved yet ({reason}): free some space, or allow writing in the study's folder; "
            "what you have drawn is still here."
        )


def _masks_in(path: Path, shape: tuple[int, int], site: Site) -> BoneMasks:
    """Masks from a file that `write_seg_nrrd` wrote, on the same pixels and in the same layers. Raises `ValueError` for others."""
    import slicerio

    try:
        segmentation = slicerio.read_segmentation(str(path))
    except Exception as error:  # pynrrd raises many types on damaged files
        raise ValueError(f"{path.name} is no segmentation") from error
    segments = segmentation.get("segments", [])
    if not segments:  # every bone was erased
        return BoneMasks.pack({}, shape, site, METHOD)
    voxels = np.asarray(segmentation["voxels"])
    layers = (voxels if voxels.ndim == 4 else voxels[np.newaxis])[..., 0].transpose(0, 2, 1)
    table = {str(one["name"]): (int(one.get("layer", 0)), int(one["labelValue"])) for one in segments}
    in_order = {name: table[name] for name in site.by_name if name in table}
    return BoneMasks(np.ascontiguousarray(layers, np.uint8), in_order, site, METHOD)
