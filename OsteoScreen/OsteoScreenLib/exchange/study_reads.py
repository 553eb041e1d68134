"""What a reader of a study thought of a radiograph, for the report about it."""

from __future__ import annotations

from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.prior_result import ReaderOpinion
from OsteoScreenLib.review.project import merged
from OsteoScreenLib.review.study import open_study


def opinion_on(image: Path, study: Path, reader: str = "") -> ReaderOpinion:
    """The reader's last word on the case that the image is: the second read where there is one, of the first time it was read.

    Parameters
    ----------
    image : the study's copy, or the file that the case was made from. study : the study's folder.
    reader : a reader's code; "" where one reader alone has read the case.

    Raises
    ------
    InputError
        One sentence: no study, no case of it (no-case), not read yet or by several readers (no-read).
    """
    opened = open_study(study)
    case = opened.case_of_image(image)
    if case is None:
        raise InputError(
            "The image is no case of that reader study; leave --reads out, or name the study it belongs to.", "no-case"
        )
    reads = [read for read in merged(study).reads if read.task.case == case.id and reader in ("", read.reader)]
    readers = sorted({read.reader for read in reads})
    if not reads:
        who = f"by reader {reader} " if reader else ""
        raise InputError(f"There is no locked read {who}of {case.id}; leave --reads out, or read the case first.", "no-read")
    if len(readers) > 1:
        raise InputError(f"{case.id} was read by {', '.join(readers)}; name one of them with --reader.", "no-read")
    last = max(reads, key=lambda read: (read.task.repeat == 0, read.phase == "second", read.at))
    return ReaderOpinion.of(last, opened.protocol.target)
