"""What a job commits: some rows with the job's progress, its end, what takes rows back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optin.domain.consent import NEVER, Clocks, Policy
from optin.domain.errors import Conflict, FutureDated
from optin.domain.events import SECOND, Claim, Kind
from optin.domain.identities import reach
from optin.domain.links import UNLINKED
from optin.domain.lists.effects import is_outweighed
from optin.ports.imports import ImportJob, ImportRow, ImportState
from optin.ports.store import Reads, Transaction
from optin.usecases.import_list.preparing import Prepared

#: How long a job belongs to a process that says nothing, µs.
LEASE = 10 * SECOND
#: Rejected rows that are kept of one import; all are counted.
MOST_REJECTED = 100_000


@dataclass(frozen=True, slots=True)
class Step:
    """Where the job has to stand for a commit of its to count: who has it, after which row."""

    bot_id: str
    import_id: str
    claimant: str
    rows: int
    cursor: str = ""

    def job(self, tx: Transaction) -> ImportJob:
        """The job. Raises `Conflict` if it has moved on without us."""
        job = tx.imported(self.import_id)
        here = job is not None and (job.claimant, job.rows, job.cursor) == (
            self.claimant,
            self.rows,
            self.cursor,
        )
        if job is None or not here or job.is_over:
            raise Conflict("Another process has gone on with this import.")
        return job


@dataclass(frozen=True, slots=True)
class RecordRows:
    """Records some rows. A row that the ledger refuses is rejected alone."""

    step: Step
    rows: tuple[Prepared, ...]
    shape: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bot_id(self) -> str:
        """The job's."""
        return self.step.bot_id

    @property
    def reads(self) -> Reads:
        """See `Work`."""
        return Reads(
            identities=frozenset(row.identity for row in self.rows if row.identity),
            imports=frozenset({self.step.import_id}),
        )

    def run(self, tx: Transaction) -> ImportJob:
        """The job as it stands afterwards."""
        job = self.step.job(tx)
        counts, policy = Counter(job.counts), tx.bot().policy
        for row in self.rows:
            for outcome in self._recorded(tx, row, counts, policy):
                counts[outcome] += 1
        done = replace(
            job,
            rows=self.rows[-1].number,
            counts=dict(counts),
            shape=self.shape or job.shape,
            leased_until=tx.now + LEASE,
        )
        tx.put_import(done)
        return done

    def _recorded(
        self, tx: Transaction, row: Prepared, counts: Counter[str], policy: Policy
    ) -> Sequence[str]:
        """What became of the row: one outcome, and what else is counted."""
        if row.claim is None:
            code = row.fault.code if row.fault else ""
            return self._rejected(tx, row, code, str(row.fault), counts)
        who = row.claim.identity
        before = tx.clocks(who)
        is_opt_in = row.claim.kind is Kind.OPT_IN
        was_out = is_opt_in and is_outweighed(Kind.OPT_IN, _reading(tx, who), tx.now, policy)
        try:
            tx.record(row.claim)
        except FutureDated as wrong:
            return self._rejected(tx, row, wrong.code, str(wrong), counts)
        outcome = "ignored" if tx.clocks(who) == before else "recorded"
        if is_opt_in and is_outweighed(Kind.OPT_IN, _reading(tx, who), tx.now, policy):
            return outcome, "outweighed"
        return (outcome, "lifted") if was_out else (outcome,)

    def _rejected(
        self, tx: Transaction, row: Prepared, code: str, sentence: str, counts: Counter[str]
    ) -> Sequence[str]:
        """What somebody has been forgotten for is not kept again (R15)."""
        if counts["rejected"] >= MOST_REJECTED:
            return ("rejected",)
        kept = ImportRow(
            self.step.import_id, row.number, row.line, "rejected", code, sentence, row.identity
        )
        forgotten = bool(row.identity) and tx.links(row.identity).erased != NEVER
        tx.put_import_row(replace(kept, identity="") if forgotten else replace(kept, row=row.kept))
        return ("rejected",)


def _reading(tx: Transaction, who: str) -> Clocks:
    """What a decision reads (R11). Most people go by one identity: nothing need be joined then."""
    alone = tx.links(who) == UNLINKED and len(reach(who).blocking) == 1
    return tx.clocks(who) if alone else tx.reading(who)


@dataclass(frozen=True, slots=True)
class NoteRows:
    """Keeps what a dry run foresees: its progress, and some rows as examples."""

    step: Step
    rows: int
    counts: Mapping[str, int]
    examples: tuple[ImportRow, ...]
    shape: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bot_id(self) -> str:
        """The job's."""
        return self.step.bot_id

    @property
    def reads(self) -> Reads:
        """See `Work`."""
        return Reads(imports=frozenset({self.step.import_id}))

    def run(self, tx: Transaction) -> ImportJob:
        """The job as it stands afterwards."""
        job = self.step.job(tx)
        done = replace(
            job,
            rows=self.rows,
            counts=dict(Counter(job.counts) + Counter(self.counts)),
            shape=self.shape or job.shape,
            leased_until=tx.now + LEASE,
        )
        tx.put_import(done)
        for example in self.examples:
            tx.put_import_row(example)
        return done


@dataclass(frozen=True, slots=True)
class End:
    """The job is over."""

    step: Step
    state: ImportState = ImportState.DONE
    error: str = ""

    @property
    def bot_id(self) -> str:
        """The job's."""
        return self.step.bot_id

    @property
    def reads(self) -> Reads:
        """See `Work`."""
        return Reads(imports=frozenset({self.step.import_id}))

    def run(self, tx: Transaction) -> ImportJob:
        """The job as it stands afterwards."""
        job = self.step.job(tx)
        done = replace(
            job,
            state=self.state,
            error=self.error,
            finished=tx.now,
            claimant="",
            leased_until=0,
        )
        tx.put_import(done)
        return done


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Records what takes back some rows of an import, if all is as it was looked at.

    `readings`: what decisions about each identity read then; `versions`: of the states of all in
    W, since what is hidden behind a newer event counts as well. `cursor`: how far the undo is
    afterwards. Raises `Conflict` if somebody changed in between: look again.
    """

    step: Step
    readings: Mapping[str, Clocks]
    versions: Mapping[str, int]
    claims: tuple[Claim, ...]
    cursor: str
    rows: int
    left: int = 0

    @property
    def bot_id(self) -> str:
        """The job's."""
        return self.step.bot_id

    @property
    def reads(self) -> Reads:
        """See `Work`."""
        return Reads(identities=frozenset(self.versions), imports=frozenset({self.step.import_id}))

    def run(self, tx: Transaction) -> ImportJob:
        """The job as it stands afterwards."""
        job = self.step.job(tx)
        moved = any(tx.version(who) != seen for who, seen in self.versions.items())
        if moved or any(tx.reading(who) != seen for who, seen in self.readings.items()):
            raise Conflict("Somebody changed meanwhile.")
        for claim in self.claims:
            tx.record(claim)
        counts = Counter(job.counts)
        counts.update(claim.kind.value for claim in self.claims)
        if self.left:
            counts["left"] += self.left
        done = replace(
            job,
            rows=job.rows + self.rows,
            cursor=self.cursor,
            counts=dict(counts),
            leased_until=tx.now + LEASE,
        )
        tx.put_import(done)
        return done
