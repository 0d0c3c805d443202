"""Lists that are taken in as jobs, and what a store keeps of them. Times in UTC µs.

A job's body is kept in pieces until it is over, so that any process can go on with it. Progress is
committed together with what it recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from optin.domain.events import Event


class ImportKind(StrEnum):
    """A list that is taken in, or the taking back of one."""

    IMPORT = "import"
    UNDO = "undo"


class ImportState(StrEnum):
    """Where a job stands. `receiving`: its body is not whole yet, nothing of it counts."""

    RECEIVING = "receiving"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One job. `import_id` sorts by time.

    `options`: how to read the list (`ListOptions` as a mapping); `reopt_in`: the reason why
    undated opt-ins get the import's time, "" for none (R3). `source`, `actor`, `context`: who gave
    it, from where (R14). `name`: of the file; `digest`: SHA-256 (hex) of its body and options;
    `size`: bytes. `rows`: how many are done; `cursor`: how far an undo is. `counts`: rows by
    outcome. `shape`: what was found of the file's form. `error`: why it failed. `of`: the import
    that an undo takes back; `undone_by`: the undo that takes this one back.
    """

    bot_id: str
    import_id: str
    created: int
    kind: ImportKind = ImportKind.IMPORT
    state: ImportState = ImportState.RECEIVING
    dry_run: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    reopt_in: str = ""
    source: str = ""
    actor: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    digest: str = ""
    size: int = 0
    rows: int = 0
    cursor: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    shape: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    of: str = ""
    undone_by: str = ""
    finished: int = 0
    claimant: str = ""
    leased_until: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing will be done any more."""
        return self.state in (ImportState.DONE, ImportState.FAILED)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row that is kept for people: a rejected one, or an example of a dry run.

    `outcome`: what became of it, as in `counts`. `reason`: a stable code, `details` the same for
    people. `identity`: "" if it is not known. `row`: its bytes, the beginning of a long one.
    """

    import_id: str
    number: int
    line: int
    outcome: str
    reason: str = ""
    details: str = ""
    identity: str = ""
    row: bytes = b""


class Imports(Protocol):
    """What a store keeps of jobs. Each method is one transaction; see `Transaction` for what goes
    into the commits of a job's rows."""

    async def put_import(self, job: ImportJob) -> None:
        """Adds the job, or replaces the one of the same id."""

    async def put_import_body(
        self, bot_id: str, import_id: str, pieces: Mapping[int, bytes]
    ) -> None:
        """Keeps pieces of a body by their number, from 0."""

    async def import_body(self, bot_id: str, import_id: str, piece: int) -> bytes | None:
        """One piece, None behind the last."""

    async def drop_import_body(self, bot_id: str, import_id: str, most: int) -> int:
        """Deletes up to `most` pieces of a body; how many there were."""

    async def imported(self, bot_id: str, import_id: str) -> ImportJob | None:
        """One job as it stands."""

    async def imports(self, bot_id: str, after: str, limit: int) -> list[ImportJob]:
        """Jobs by id, which is by time, from behind the cursor `after` ("" for the first)."""

    async def import_rows(
        self, bot_id: str, import_id: str, after: int, limit: int, outcomes: Collection[str] = ()
    ) -> list[ImportRow]:
        """The kept rows by number from behind `after` (0 for the first); only those of the named
        outcomes, if any is named."""

    async def import_events(
        self, bot_id: str, begin: bytes, end: bytes, limit: int
    ) -> Sequence[Event]:
        """Events of the ledger (messages of contacts apart) by id, behind `begin` up to `end`."""

    async def lease_import(
        self, claimant: str, lease_for: int, without_bots: Collection[str] = ()
    ) -> ImportJob | None:
        """The oldest job that waits, or whose process has gone silent, leased to `claimant` in one
        commit; no other job of its bot is under way then. Nothing to lease writes nothing."""

    async def prune_imports(self, bot_id: str, before: int) -> int:
        """Deletes kept rows and bodies of jobs made before then, those under way apart, and jobs
        whose body never became whole. How many rows went."""
