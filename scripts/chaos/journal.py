"""What clients have seen: every answer, or lack of one, and every acknowledged write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

Kind = Literal["ticket", "comment", "patch"]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A write that the service said was done."""

    kind: Kind
    ticket: int
    #: Unique among all writes: the title of a ticket, or the body of a comment.
    text: str
    #: Of a comment.
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request. Without a status there was no answer; `lost` says whether it had been sent at all."""

    began: float
    seconds: float
    instance: str
    status: int | None
    retry_after: str | None = None
    lost: bool = False


class Journal:
    """Append-only: a file of acknowledgements, and the exchanges in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] = path.open("a")
        self.exchanges: list[Exchange] = []
        self.acknowledged = 0
        self.last_acknowledged = 0.0

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Write it down."""
        self._file.write(json.dumps(asdict(acknowledgement)) + "\n")
        self.acknowledged += 1
        self.last_acknowledged = time.monotonic()

    def close(self) -> None:
        """Write what is still in memory."""
        self._file.close()

    def acknowledgements(self) -> Iterator[Acknowledgement]:
        """All that was acknowledged."""
        self._file.flush()
        with self._path.open() as lines:
            for line in lines:
                yield Acknowledgement(**json.loads(line))
