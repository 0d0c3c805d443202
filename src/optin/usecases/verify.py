"""Is the ledger as it was written, and the stored state its fold (R2, R14)? Writes nothing.

A bot's chains are read from their beginning to the heads that they had at first, a page at a time,
beside a service that goes on writing; then its wordings, then its identities.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from optin.domain.chain import Commit
from optin.domain.entries import Entry
from optin.domain.events import Kind
from optin.domain.identities import is_digest
from optin.domain.verifying import (
    ChainCheck,
    Fault,
    Finding,
    Head,
    erasure_fault,
    found_at,
    head_fault,
    state_fault,
)
from optin.ports.ledger import Ledger, Position, StoredCommit, StoredEntry, StoredState

#: Findings of a bot that are told; all are counted.
MOST_TOLD = 100
_PAGE = 2_000
#: Erasures that are remembered as checked, those met last.
_MOST_REMEMBERED = 10_000
_AFTER_ALL_PLACES = 2**63 - 1
#: Behind every name that begins alike.
_LAST = "\U0010ffff"
#: Times that a bot is read when its ledger is cut meanwhile.
_TRIES = 3

#: writer -> the first commit that there is.
Begins = Mapping[int, Commit]

#: (bot id, entries read, identities read), after each page.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Report:
    """What was found of one bot. `heads`: where its chains ended. `faults`: how many of each.

    `too_old`: signed heads with which nothing could be compared, since retention has cut what
    they were heads of (R16).
    """

    bot_id: str
    heads: list[Head] = field(default_factory=list)
    entries: int = 0
    identities: int = 0
    findings: list[Finding] = field(default_factory=list)
    faults: Counter[Fault] = field(default_factory=Counter)
    too_old: list[Head] = field(default_factory=list)

    def add(self, *findings: Finding) -> None:
        """Counts the findings, and keeps the first of them."""
        self.faults.update(each.fault for each in findings)
        self.findings += findings[: max(0, MOST_TOLD - len(self.findings))]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Verify:
    """Checks ledgers. `progress` is called after each page."""

    ledger: Ledger
    progress: Progress = lambda bot_id, entries, identities: None

    async def verify(
        self, bot_ids: Sequence[str] | None = None, signed: Sequence[Head] = ()
    ) -> list[Report]:
        """A report for each bot, by id; all that the ledger names if none is given.

        `signed`: heads that were kept elsewhere; each must still be in its chain.
        """
        known = await self.ledger.ledger_bots() if bot_ids is None else sorted(set(bot_ids))
        named = {head.bot_id for head in signed} - set(known) if bot_ids is None else set[str]()
        return [await self._bot(bot_id, signed) for bot_id in sorted({*known, *named})]

    async def _bot(self, bot_id: str, signed: Sequence[Head]) -> Report:
        for _ in range(_TRIES):
            begins = await self._begins(bot_id)
            report = await self._read(bot_id, begins, signed)
            if report.is_sound or begins == await self._begins(bot_id):
                break  # else the ledger was cut while it was read (R16)
        return report

    async def _read(self, bot_id: str, begins: Begins, signed: Sequence[Head]) -> Report:
        report = Report(bot_id)
        for writer in await self.ledger.chain_writers(bot_id):
            await _Chain(self, report, writer).read()
        await self._wordings(report)
        await self._states(report, cut=any(commit.seq > 1 for commit in begins.values()))
        for head in signed:
            if head.bot_id == bot_id and head.seq:
                await self._signed(report, head, begins.get(head.writer))
        return report

    async def _begins(self, bot_id: str) -> Begins:
        """The first commit that there is of each chain."""
        first = [
            stored.commit
            for writer in await self.ledger.chain_writers(bot_id)
            for stored in await self.ledger.chain_commits(bot_id, writer, Position().seq, 1)
        ]
        return {commit.writer: commit for commit in first}

    async def _wordings(self, report: Report) -> None:
        after: str | None = None
        while page := await self.ledger.wordings(report.bot_id, after, _PAGE):
            for each in page:
                if (
                    hashlib.sha256(each.text.encode("utf-8", "surrogatepass")).hexdigest()
                    != each.hash
                ):
                    report.add(Finding(Fault.WORDING_CHANGED, report.bot_id, subject=each.hash))
                elif not each.used:
                    report.add(Finding(Fault.WORDING_ADDED, report.bot_id, subject=each.hash))
            after = page[-1].hash
        behind = ""
        while missing := await self.ledger.wordless(report.bot_id, behind, _PAGE):
            report.add(*(found_at(Fault.WORDING_MISSING, entry) for entry in missing))
            behind = missing[-1].wording or ""

    async def _states(self, report: Report, *, cut: bool) -> None:
        after: str | None = None
        back = set[str]()  # digests of erased contacts who are back: compared with what came since
        unlike: dict[str, Finding] = {}
        while page := await self.ledger.stored_states(report.bot_id, after, _PAGE):
            back |= {each.name for each in page if each.name != each.identity}
            findings = (_state_finding(report.bot_id, each, cut=cut) for each in page)
            found = [finding for finding in findings if finding]
            unlike |= {each.subject: each for each in found if is_digest(each.subject)}
            report.add(*(each for each in found if not is_digest(each.subject)))
            report.identities += len(page)
            self.progress(report.bot_id, report.entries, report.identities)
            after = page[-1].identity
        for name, each in unlike.items():
            if name not in back and (still := await self._again(each, cut=cut)):
                report.add(still)

    async def _again(self, found: Finding, *, cut: bool) -> Finding | None:
        """What is wrong with a digest's state that had no identity: read again, with whom it says
        that it belongs to, for they may have come back behind the page that would name them."""
        for _ in range(_TRIES):
            one = await self._state(found.bot_id, found.subject)
            if one is None:
                return found
            still = _state_finding(found.bot_id, one, cut=cut)
            who = one.stored.links.plain if one.stored else ""
            if still is None or not who:
                return still
            owner = await self._state(found.bot_id, who)
            if owner and owner.name == found.subject:
                return _state_finding(found.bot_id, owner, cut=cut)
            # else they have gone once more, or it is not true
        return found

    async def _state(self, bot_id: str, identity: str) -> StoredState | None:
        """That of one identity. What stands right before its name is no other's."""
        last = ord(identity[-1])
        before = chr(last - 1) + _LAST if identity.isascii() and last else ""
        page = await self.ledger.stored_states(bot_id, identity[:-1] + before, 1)
        return page[0] if page and page[0].identity == identity else None

    async def _signed(self, report: Report, head: Head, first: Commit | None) -> None:
        if first is not None and head.seq < first.seq - 1:
            report.too_old.append(head)
            return
        page = await self.ledger.chain_commits(head.bot_id, head.writer, head.seq - 1, 1)
        found = page[0].commit.hash if page and page[0].commit.seq == head.seq else None
        if first is not None and head.seq == first.seq - 1:
            found = first.previous
        if fault := head_fault(head, found):
            report.add(Finding(fault, head.bot_id, head.writer, head.seq))


class _Chain:
    """One chain under way."""

    def __init__(self, verify: Verify, report: Report, writer: int) -> None:
        self._ledger = verify.ledger
        self._progress = verify.progress
        self._report = report
        self._bot_id, self._writer = report.bot_id, writer
        self._check = ChainCheck(report.bot_id, writer)
        self._waiting = deque[StoredEntry]()
        self._read_to: Position | None = Position()
        self._until = 0
        self._checked: OrderedDict[bytes, None] = OrderedDict()

    async def read(self) -> None:
        """Reads it to the head that it has now."""
        newest = await self._ledger.chain_head(self._bot_id, self._writer)
        self._until = newest.commit.seq if newest else Position().seq
        async for commit, stored_hash in self._commits():
            await self._entries(commit.seq - 1, self._stray)
            self._report.add(*self._check.commit(commit, stored_hash))
            await self._entries(commit.seq, self._entry)
        self._report.add(*self._check.end())
        await self._strays()
        if newest:
            self._report.heads.append(self._check.head)

    async def _commits(self) -> AsyncIterator[StoredCommit]:
        after = Position().seq
        while after < self._until:
            page = await self._ledger.chain_commits(self._bot_id, self._writer, after, _PAGE)
            for each in page:
                if each.commit.seq <= self._until:
                    yield each
            after = page[-1].commit.seq if page else self._until

    async def _entries(self, until: int, take: Callable[[StoredEntry], Iterable[Finding]]) -> None:
        """Takes the entries up to a commit."""
        waiting, report = self._waiting, self._report
        while True:
            while waiting and waiting[0].entry.seq <= until:
                each = waiting.popleft()
                report.add(*take(each))
                report.entries += 1
                if each.entry.emptied or each.entry.kind == Kind.ERASED.value:
                    await self._erasure(each.entry)
            if waiting or not await self._more():
                return

    async def _more(self) -> bool:
        if self._read_to is None:
            return False
        page = await self._ledger.chain_entries(
            self._bot_id, self._writer, self._read_to, self._until, _PAGE
        )
        self._waiting.extend(page)
        self._read_to = _position(page[-1].entry) if page else None
        self._progress(self._bot_id, self._report.entries, self._report.identities)
        return bool(page)

    def _entry(self, each: StoredEntry) -> Iterable[Finding]:
        return self._check.entry(each.entry, each.as_message)

    def _stray(self, each: StoredEntry) -> Iterable[Finding]:
        return [found_at(Fault.ENTRY_ADDED, each.entry)]

    async def _strays(self) -> None:
        """Behind the newest commit: what is written meanwhile has its commit."""
        after = Position(self._until, _AFTER_ALL_PLACES)
        while page := await self._ledger.stray_entries(self._bot_id, self._writer, after, _PAGE):
            for each in page:
                self._report.add(*self._stray(each))
            after = _position(page[-1].entry)

    async def _erasure(self, entry: Entry) -> None:
        """Checks the erasure that the entry is, or that it names, unless that was done."""
        event_id = entry.erased_by if entry.emptied else entry.event_id
        if event_id in self._checked:
            return
        self._checked[event_id] = None
        if len(self._checked) > _MOST_REMEMBERED:
            self._checked.popitem(last=False)
        found = await self._ledger.erasure(self._bot_id, event_id)
        if fault := erasure_fault(found.entry, found.rows, found.digest):
            self._report.add(found_at(fault, entry))


def _state_finding(bot_id: str, each: StoredState, *, cut: bool) -> Finding | None:
    fault: Fault | None = Fault.STATE_UNREADABLE
    if each.readable:
        fault = state_fault(each.stored, each.folded, cut=cut)
    return Finding(fault, bot_id, subject=each.identity) if fault else None


def _position(entry: Entry) -> Position:
    return Position(entry.seq, entry.place, entry.event_id)
