"""`MaskKeeper`: the masks of one case as one reader has corrected them, and their way to the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from OsteoScreenLib.bones.dice import dice
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.review.mask_versions import MODELS_OWN, MaskVersion, MaskVersions
from OsteoScreenLib.review.nouns import MaskVerdict, Verdict


class Judge(Protocol):
    """Keeps a verdict for good: `ReaderStore.judge`."""

    def __call__(self, case: str, bone: str, verdict: Verdict, version: int = 0, reason: str = "") -> MaskVerdict:
        """Raises `OsteoScreenError` when it could not be kept."""
        ...


class MaskKeeper:
    """Begins with the reader's last version that can be read, else with the model's own masks.

    Masks that were taken wait until they are written; where that fails they go on waiting, and nothing is lost.

    versions : of the case. own : the model's masks. radiograph : that they lie on. verdicts : given earlier, oldest first; where
    those on a version that was saved here are missing, because of a power cut in between, they are made up for.
    masks : as they are now, on the disk or not, with facts. problem : one sentence on a version that could not be read, or "".
    """

    def __init__(
        self,
        case: str,
        reader: str,
        versions: MaskVersions,
        own: BoneMasks,
        radiograph: Radiograph,
        judge: Judge,
        verdicts: Iterable[MaskVerdict] = (),
    ) -> None:
        self._case, self._reader, self._versions = case, reader, versions
        self._own, self._radiograph, self._judge = own, radiograph, judge
        self.problem = ""
        self._version: MaskVersion | None = None
        self._saved = self._last_saved()
        self.masks = self._saved
        self._fixed = self._unjudged(verdicts)  # bones of a saved version whose verdict is not in the store yet

    @property
    def number(self) -> int:
        """Of the version that the masks are, `MODELS_OWN` (0) for the model's; of the last one while some are waiting."""
        return self._version.number if self._version is not None else MODELS_OWN

    def number_of(self, bone: str) -> int:
        """Of the version that a bone's mask is from: `MODELS_OWN` where it is as the model drew it."""
        return self.number if self.is_corrected(bone) else MODELS_OWN

    def is_corrected(self, bone: str) -> bool:
        """It differs from the model's own."""
        return self.masks.digests.get(bone) != self._own.digests.get(bone)

    def dice(self) -> dict[str, float]:
        """Bone → Dice of the masks as they are now and the model's own; bones that neither has are absent."""
        return dice(self._own, self.masks)

    @property
    def waiting(self) -> bool:
        """Something is not on the disk yet."""
        return bool(self._fixed) or self.masks.sha256 != self._saved.sha256

    def take(self, masks: BoneMasks) -> tuple[str, ...]:
        """From now on these are the masks; returns the bones that differ from those before. Nothing is written yet."""
        before, after = self.masks.digests, masks.digests
        changed = tuple(name for name in masks.site.by_name if before.get(name) != after.get(name))
        if changed:
            self.masks = masks.corrected_from(self._own.digests, self._own.facts)
        return changed

    def write(self, given: Callable[[MaskVerdict], object]) -> None:
        """Save what waits as one new version, and the verdict "fixed" on each bone that it changes.

        given : called with each verdict as soon as it is kept. Raises `OsteoScreenError` when the disk does not take it; the
        rest goes on waiting.
        """
        if self.masks.sha256 != self._saved.sha256:
            version = self._versions.save(self.masks, self._radiograph, self._reader, self._own, self._saved, self._version)
            self._saved, self._version = self.masks, version
            self._fixed = [*self._fixed, *(name for name in version.changed if name not in self._fixed)]
        while self._fixed:
            verdict = self._judge(self._case, self._fixed[0], "fixed", self.number)
            del self._fixed[0]
            given(verdict)

    def _unjudged(self, verdicts: Iterable[MaskVerdict]) -> list[str]:
        mine = (verdict for verdict in verdicts if (verdict.reader, verdict.case) == (self._reader, self._case))
        judged = {verdict.bone: verdict.version for verdict in mine}
        made_here = [version for version in self._versions.all(self._reader) if version.machine == self._versions.machine]
        waiting = {name for version in made_here for name in version.changed if judged.get(name, 0) < version.number}
        return [name for name in self._own.site.by_name if name in waiting and self.is_corrected(name)]

    def _last_saved(self) -> BoneMasks:
        """The reader's last version that can be read, else the model's own."""
        for version in reversed(self._versions.all(self._reader)):
            try:
                masks = self._versions.load(version)
            except InputError as error:
                self.problem = self.problem or str(error)
                continue
            if masks.shape != self._own.shape or masks.site.name != self._own.site.name:
                self.problem = "Corrected masks of another image lie in this study's folder; they were left out."
                continue
            self._version = version
            return masks.corrected_from(self._own.digests, self._own.facts)
        return self._own
