"""Whether a ledger is as it was written, and its stored state the fold of it (R2, R14).

Theory: a chain is read once, from its beginning to the head that it had when the reading began.
Each commit must follow the one before it, have the hash that its fields give, and cover exactly
the entries that are there, each of which is hashed again. After something wrong the reading goes
on from what is stored, so that one change is told once. What nothing here can see is a ledger cut
off at its end, or written anew from some point to its end: that takes a head kept elsewhere.

A chain may begin later than at its first commit only if a checkpoint in what is left of it says
up to where it was cut, and what hash it had there (R16).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from optin.domain import entries
from optin.domain.chain import GENESIS, Commit
from optin.domain.entries import Entry
from optin.domain.events import Kind
from optin.domain.links import UNKNOWN, State


class Fault(StrEnum):
    """What can be wrong, and what to tell people of it."""

    COMMIT_MISSING = "commit_missing"
    COMMIT_CHANGED = "commit_changed"
    LINK_BROKEN = "link_broken"
    ENTRY_CHANGED = "entry_changed"
    ENTRY_MISSING = "entry_missing"
    ENTRY_ADDED = "entry_added"
    ENTRY_MOVED = "entry_moved"
    ENTRY_MALFORMED = "entry_malformed"
    ERASURE_MISSING = "erasure_missing"
    ERASURE_CHANGED = "erasure_changed"
    WORDING_CHANGED = "wording_changed"
    WORDING_MISSING = "wording_missing"
    WORDING_ADDED = "wording_added"
    STATE_CHANGED = "state_changed"
    STATE_MISSING = "state_missing"
    STATE_ADDED = "state_added"
    STATE_UNREADABLE = "state_unreadable"
    HEAD_MISSING = "head_missing"
    HEAD_CHANGED = "head_changed"


SENTENCES = {
    Fault.COMMIT_MISSING: "a commit is missing from the chain",
    Fault.COMMIT_CHANGED: "the commit does not have the hash that its fields give",
    Fault.LINK_BROKEN: "the commit does not follow the one before it",
    Fault.ENTRY_CHANGED: "an entry of this commit was changed or exchanged",
    Fault.ENTRY_MISSING: "an entry is missing from this commit",
    Fault.ENTRY_ADDED: "an entry was added: no commit covers it",
    Fault.ENTRY_MOVED: "the entry stands at a place that is taken",
    Fault.ENTRY_MALFORMED: "the entry's salt, or what an erasure left of it, is not as it must be",
    Fault.ERASURE_MISSING: "the entry was emptied, but no erasure is recorded that did it",
    Fault.ERASURE_CHANGED: "what this erasure emptied is not what it recorded",
    Fault.WORDING_CHANGED: "the text of a wording was changed",
    Fault.WORDING_MISSING: "the text of the wording that was shown is missing",
    Fault.WORDING_ADDED: "there is a wording that no entry has",
    Fault.STATE_CHANGED: "the stored state is not what the entries give",
    Fault.STATE_MISSING: "there are entries, but no stored state",
    Fault.STATE_ADDED: "there is a stored state without entries",
    Fault.STATE_UNREADABLE: "the stored state or an entry of the identity cannot be read",
    Fault.HEAD_MISSING: "the chain no longer reaches as far as the signed head: its end was cut",
    Fault.HEAD_CHANGED: "the chain is not the one that the signed head was made of",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where. `seq` and `place` are None where they are not known.

    `event_id`: hex. `subject`: the identity or the wording, if it is about one.
    """

    fault: Fault
    bot_id: str
    writer: int | None = None
    seq: int | None = None
    place: int | None = None
    event_id: str = ""
    subject: str = ""


class Head(NamedTuple):
    """Where a chain ends: its last commit, when that was recorded (UTC µs), and how many entries
    were counted up to it. `seq` is 0 for an empty one."""

    bot_id: str
    writer: int
    seq: int = 0
    hash: bytes = GENESIS
    recorded: int = 0
    entries: int = 0


def found_at(fault: Fault, entry: Entry) -> Finding:
    """A finding about one entry."""
    return Finding(fault, entry.bot_id, entry.writer, entry.seq, entry.place, entry.event_id.hex())


@dataclass(slots=True)
class _Kind:
    """What was read of one commit's entries of one kind."""

    digest: Any = field(default_factory=hashlib.sha256)
    count: int = 0
    only: Entry | None = None

    def add(self, entry: Entry) -> None:
        self.digest.update(entries.leaf(entry))
        self.count += 1
        self.only = entry if self.count == 1 else None


class ChainCheck:
    """Checks one chain in constant memory: `commit`, then its entries, and so on; then `end`.

    Entries come by commit and place.
    """

    def __init__(self, bot_id: str, writer: int) -> None:
        self.head = Head(bot_id, writer)
        self._cut: tuple[int, str] | None = None
        self._commit: Commit | None = None
        self._events, self._messages = _Kind(), _Kind()
        self._last_place = -1

    def commit(self, commit: Commit, stored_hash: bytes) -> Iterator[Finding]:
        """Goes on to the next commit."""
        yield from self._close()
        if self.head.seq == 0 and commit.seq > 1:  # a checkpoint must tell of it
            self._cut = (commit.seq - 1, commit.previous.hex())
            self.head = self.head._replace(seq=commit.seq - 1, hash=commit.previous)
        before = self.head
        if commit.seq != before.seq + 1:
            yield self._at(Fault.COMMIT_MISSING, before.seq + 1)
        elif commit.previous != before.hash:
            yield self._at(Fault.LINK_BROKEN, commit.seq)
        if commit.hash != stored_hash:
            yield self._at(Fault.COMMIT_CHANGED, commit.seq)
        self.head = before._replace(seq=commit.seq, hash=stored_hash, recorded=commit.recorded)
        self._commit = commit

    def entry(self, entry: Entry, as_message: bool) -> Iterator[Finding]:
        """Takes the commit's next entry. `as_message`: whether it lies among the messages."""
        if entry.place <= self._last_place:
            yield found_at(Fault.ENTRY_MOVED, entry)
        self._last_place = entry.place
        if not entries.is_well_formed(entry):
            yield found_at(Fault.ENTRY_MALFORMED, entry)
        if self._cut is not None and _cut_told(entry) == (self.head.writer, *self._cut):
            self._cut = None
        (self._messages if as_message else self._events).add(entry)
        self.head = self.head._replace(entries=self.head.entries + 1)

    def end(self) -> Iterator[Finding]:
        """Ends the chain."""
        yield from self._close()
        if self._cut is not None:
            yield self._at(Fault.COMMIT_MISSING, 1)

    def _close(self) -> Iterator[Finding]:
        """Ends the commit that is under way."""
        commit, self._commit = self._commit, None
        if commit is not None:
            yield from self._compared(self._events, commit.events, commit.events_digest)
            yield from self._compared(self._messages, commit.messages, commit.messages_digest)
        self._events, self._messages, self._last_place = _Kind(), _Kind(), -1

    def _compared(self, read: _Kind, told: int, digest: bytes) -> Iterator[Finding]:
        if read.count < told:
            yield self._at(Fault.ENTRY_MISSING, self.head.seq)
        elif read.count > told:
            yield self._at(Fault.ENTRY_ADDED, self.head.seq)
        elif read.digest.digest() != digest:
            # Only the digest of all of them is kept: which it was shows if there is but one.
            only = read.only
            found = self._at(Fault.ENTRY_CHANGED, self.head.seq)
            yield found_at(Fault.ENTRY_CHANGED, only) if only else found

    def _at(self, fault: Fault, seq: int) -> Finding:
        return Finding(fault, self.head.bot_id, self.head.writer, seq)


def _cut_told(entry: Entry) -> tuple[int, int, str] | None:
    """What a checkpoint says of the chain that was cut: whose, up to where, with which hash."""
    if entry.kind != Kind.CHECKPOINT.value:
        return None
    try:
        told = json.loads(entry.evidence)
        return told["writer"], told["through"], told["hash"]
    except (ValueError, TypeError, KeyError):
        return None


def erasure_fault(erasure: Entry | None, rows: int, digest: str) -> Fault | None:
    """What is wrong with an erasure. `rows` and `digest`: the entries that name it as theirs.

    `erasure`: the entry of that id, None if there is none.
    """
    if erasure is None or erasure.kind != Kind.ERASED.value or erasure.emptied:
        return Fault.ERASURE_MISSING
    try:
        told = json.loads(erasure.evidence)
        agrees = (told["emptied"], told["digest"]) == (rows, digest)
    except (ValueError, TypeError, KeyError):
        agrees = False
    return None if agrees else Fault.ERASURE_CHANGED


def state_fault(stored: State | None, folded: State | None, *, cut: bool) -> Fault | None:
    """What is wrong with a stored state. None: there is none, or there are no entries.

    `cut`: entries were dropped that nothing rests on any more, so their number is less (R16).
    """
    if cut and stored is not None:
        folded = replace(
            folded or UNKNOWN, version=max(stored.version, (folded or UNKNOWN).version)
        )
    if stored == folded:
        return None
    if stored is None:
        return Fault.STATE_MISSING
    return Fault.STATE_ADDED if folded is None else Fault.STATE_CHANGED


def head_fault(signed: Head, found: bytes | None) -> Fault | None:
    """What is wrong with a chain whose head was signed once. `found`: the hash that its commit of
    that number gives."""
    if found is None:
        return Fault.HEAD_MISSING
    return None if found == signed.hash else Fault.HEAD_CHANGED
