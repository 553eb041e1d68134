"""Pictures of covered bones that were shown lately, so that switching back needs no worker."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from OsteoScreenLib.workbench.answers import Patch, Question, asked

PATCH_BYTES = 64 * 2**20


class Patches:
    """The patches of the latest questions, as many as fit into `limit` bytes. A patch does not depend on the model."""

    def __init__(self, limit: int = PATCH_BYTES) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, Patch] = OrderedDict()
        self._bytes = 0

    def get(self, question: Question) -> Patch | None:
        """The patch of a question if it is still there."""
        key = _picture(question)
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key]

    def put(self, question: Question, patch: Patch) -> None:
        """Keep a patch; those that were not used for the longest time make room. One larger than the limit is not kept."""
        former = self._held.pop(_picture(question), None)
        self._bytes -= 0 if former is None else former.pixels.nbytes
        if patch.pixels.nbytes > self._limit:
            return
        self._held[_picture(question)] = patch
        self._bytes += patch.pixels.nbytes
        while self._bytes > self._limit:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= oldest.pixels.nbytes


def _picture(question: Question) -> Hashable:
    """What the model is shown, whichever model it is."""
    one = asked(question)
    return one.image_sha256, one.masks_sha256, one.mode, one.fill, one.margin_px, one.seed, one.covered
