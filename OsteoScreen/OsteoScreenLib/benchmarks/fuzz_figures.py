"""What `fuzz` holds files to, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Limits:
    """seconds : for one file. memory_bytes, chain_memory_bytes : of the process that reads, and that analyses.

    The seconds have passed when they have on the clock and in the process's own time, for a busy machine is no fault of the file's;
    six times as many on the clock alone will do. An image of the largest size that is read, 64 megapixels, takes a gigabyte.
    """

    seconds: float = 10.0
    memory_bytes: int = 3 << 29
    chain_memory_bytes: int = 4 << 30


STANDARD = Limits()


@dataclass(frozen=True)
class Fault:
    """A file that did not end in words. stage : "read" or "chain". what : in one line. kept : where the file lies now."""

    number: int
    stage: str
    base: str
    faults: tuple[str, ...]
    what: str
    kept: str


@dataclass
class FuzzFigures:
    """What came of it.

    read, refused : files by what reading said; codes : of the refusals, how often each. analysed : files that went through the
    whole chain and gave results; turned_away : that it refused. slowest, slowest_chain : seconds of one file. peak_bytes,
    chain_peak_bytes : the most memory of the reading and of the analysing process.
    """

    files: int
    chain: int
    seed: int
    read: int = 0
    refused: int = 0
    analysed: int = 0
    turned_away: int = 0
    without_objects: int = 0
    slowest: float = 0.0
    slowest_chain: float = 0.0
    peak_bytes: int = 0
    chain_peak_bytes: int = 0
    seconds: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every file ended in words, and as many went through the chain as were asked for, or as there were."""
        return (
            not self.faults
            and self.read + self.refused == self.files
            and self.analysed + self.turned_away >= min(self.chain, self.read)
        )

    def as_json(self) -> dict[str, object]:
        """The figures and the verdict as JSON values."""
        return {**asdict(self), "codes": dict(self.codes.most_common()), "passed": self.passed}

    def as_text(self) -> str:
        """For people."""
        lines = [
            f"{self.files} broken files (seed {self.seed}) in {self.seconds:.0f} s: {self.read} read, {self.refused} refused",
            f"refusals: {', '.join(f'{code} {count}' for code, count in self.codes.most_common())}",
            f"whole chain: {self.analysed} analysed ({self.without_objects} of them without DICOM results), {self.turned_away} turned away",
            f"slowest file {self.slowest:.1f} s, in the chain {self.slowest_chain:.1f} s; most memory {self.peak_bytes / 2**20:.0f} MiB, "
            f"in the chain {self.chain_peak_bytes / 2**20:.0f} MiB",
            *(
                f"file {one.number} ({one.base}; {', '.join(one.faults)}), {one.stage}: {one.what}; kept as {one.kept}"
                for one in self.faults
            ),
            "passed: every file ended in words" if self.passed else "not passed",
        ]
        return "\n".join(lines)
