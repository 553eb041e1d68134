"""The Hugging Face hub, asked only when the user says so."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from OsteoScreenLib.errors import InputError, OsteoScreenError


@dataclass(frozen=True)
class HubListing:
    """What a repository holds at one commit. revision : the commit. sha256 : file name → SHA-256, "" where the hub states none."""

    revision: str
    sha256: Mapping[str, str]


class Hub(Protocol):
    """Where published weights come from."""

    def listing(self, repository: str) -> HubListing:
        """The files of a repository now. Raises `InputError` or `OsteoScreenError` in one sentence."""

    def download(self, repository: str, name: str, revision: str, target: Path) -> None:
        """One file of one commit to a path. Raises as `listing` does."""


class HuggingFaceHub:
    """The real one, through `huggingface_hub`; its own settings hold (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, proxies)."""

    def listing(self, repository: str) -> HubListing:
        """The files of a repository at its main branch."""
        with _told(repository):
            from huggingface_hub import HfApi

            info = HfApi().model_info(repository, files_metadata=True)
            stored = {one.rfilename: str(one.lfs.sha256) if one.lfs is not None else "" for one in info.siblings or ()}
            return HubListing(str(info.sha), stored)

    def download(self, repository: str, name: str, revision: str, target: Path) -> None:
        """Fetch a file with a progress bar on stderr; the hub's own cache is not used, so nothing is stored twice."""
        with _told(repository):
            from huggingface_hub import hf_hub_download

            beside = target.with_name(f"{target.name}.partial")
            try:
                got = hf_hub_download(repository, name, revision=revision, local_dir=beside)
                shutil.move(got, target)
            finally:
                shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Whatever goes wrong with the hub becomes one sentence."""
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise InputError(
            "Fetching weights needs the package huggingface_hub, which is not installed; run 'pip install huggingface_hub', or copy "
            "the weights into the folder of backbones by hand.",
            code="package-missing",
        ) from error
    by_hand = "or copy the file from another computer with 'osteoscreen models fetch ID --from FILE'"
    try:
        yield
    except errors.GatedRepoError as error:
        raise InputError(
            f"The weights of {repository} are given only to those who accept their terms; accept them on "
            f"https://huggingface.co/{repository}, log in with 'hf auth login', and fetch again.",
            code="hub-gated",
        ) from error
    except errors.LocalEntryNotFoundError as error:  # what the hub's client makes of a lost connection
        raise _unreachable(repository, by_hand) from error
    except (errors.RepositoryNotFoundError, errors.EntryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(
            f"The hub has no {repository}, or not the file that is wanted of it; see whether it moved, {by_hand}.",
            code="hub-unknown",
        ) from error
    except OSError as error:
        # A lost connection and a full disk are both OSErrors; the file system's have its error numbers.
        if error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            raise OsteoScreenError(
                f"The weights of {repository} could not be stored: {error.strerror}; free some space or choose another folder."
            ) from error
        raise _unreachable(repository, by_hand) from error
    except Exception as error:
        # Which library carries the connection depends on the client's release, and their errors have no base in common.
        if type(error).__module__.startswith(("httpx", "httpcore", "requests", "urllib3", "huggingface_hub")):
            raise _unreachable(repository, by_hand) from error
        raise


def _unreachable(repository: str, by_hand: str) -> InputError:
    return InputError(
        f"The hub cannot be reached for {repository} (offline, behind a proxy, or HF_HUB_OFFLINE is set); connect and fetch again, "
        f"{by_hand}.",
        code="hub-offline",
    )
