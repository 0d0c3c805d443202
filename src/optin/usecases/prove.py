"""One person's evidence: what was recorded, what was sent, and where it stands in the chain (R14).

A third party can check it without this program: docs/proof.md says how.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from optin.domain import chain, consent, entries, links
from optin.domain.bots import Bot
from optin.domain.chain import Commit
from optin.domain.consent import Clocks
from optin.domain.decision import Decision, decide
from optin.domain.errors import NotFound
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.ledger import Before, StoredCommit, Told
from optin.ports.store import Store

#: Commits of a chain that a proof holds, from the first that it needs to the head; with more, only
#: those with entries of the contact, unless the whole is asked for.
MOST_LINKS = 5_000
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Covered:
    """The hashes of all entries of one commit, in order: other people's are no more than that."""

    writer: int
    seq: int
    events: Sequence[bytes]
    messages: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ChainProof:
    """What leads from the contact's entries to the heads. `commits`: by writer and number.

    `is_whole`: whether they are without a gap. `is_sound`: whether entries and commits agree.
    """

    commits: Sequence[StoredCommit]
    covered: Sequence[Covered]
    heads: Sequence[StoredCommit]
    is_whole: bool
    is_sound: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """A contact's evidence as of `now`, UTC µs. Entries and messages are oldest first.

    `linked`: identity -> whether it can allow or only block (R11).
    """

    bot: Bot
    identity: str
    now: int
    linked: Mapping[str, bool]
    clocks: Clocks
    decisions: Mapping[Category, Decision]
    entries: Sequence[Told]
    messages: Sequence[OutboxMessage]
    chain: ChainProof


@dataclass(frozen=True, slots=True)
class Prove:
    """Puts proofs together. Writes nothing."""

    store: Store

    async def prove(self, bot_id: str, identity: str, *, whole: bool = False) -> Proof:
        """The proof for the contact behind an identity; raises `NotFound` for an unknown bot."""
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        found = await self.store.states(bot_id, [identity])
        clocks = links.reading(identity, found.states.__getitem__)
        who = links.reach(identity, found.states.__getitem__)
        told = [each async for each in self._entries(bot_id, identity)][::-1]
        messages = [each async for each in self._messages(bot_id, sorted(who.blocking))]
        return Proof(
            bot=bot,
            identity=identity,
            now=found.now,
            linked={one: one in who.allowing for one in sorted(who.blocking)},
            clocks=clocks,
            decisions={each: decide(clocks, each, found.now, bot.policy) for each in Category},
            entries=told,
            messages=messages,
            chain=await self._chain(bot_id, told, MOST_LINKS if not whole else None),
        )

    async def _entries(self, bot_id: str, identity: str) -> AsyncIterator[Told]:
        before = Before()
        while page := (await self.store.history(bot_id, identity, before, _PAGE)).entries:
            for each in page:
                yield each
            before = Before(page[-1].entry.recorded, page[-1].entry.event_id)

    async def _messages(self, bot_id: str, who: Sequence[str]) -> AsyncIterator[OutboxMessage]:
        after = ""
        while page := await self.store.messages_to(bot_id, who, after, _PAGE):
            for each in page:
                yield each
            after = page[-1].message_id

    async def _chain(self, bot_id: str, told: Sequence[Told], most: int | None) -> ChainProof:
        where = sorted({(each.entry.writer, each.entry.seq) for each in told})
        covered = [await self._covered(bot_id, *place) for place in where]
        commits: list[StoredCommit] = []
        heads: list[StoredCommit] = []
        whole = True
        for writer in sorted({writer for writer, _ in where}):
            needed = [seq for one, seq in where if one == writer]
            head = await self.store.chain_head(bot_id, writer)
            heads += [head] if head else []
            newest = head.commit.seq if head else needed[-1]
            if most is None or newest - needed[0] < most:
                commits += await self._between(bot_id, writer, needed[0], newest)
            else:
                whole = False
                for seq in needed:
                    commits += await self._between(bot_id, writer, seq, seq)
        return ChainProof(commits, covered, heads, whole, _agrees(commits, covered, told))

    async def _covered(self, bot_id: str, writer: int, seq: int) -> Covered:
        found = await self.store.leaves(bot_id, writer, seq)
        leaves = [(each.as_message, entries.leaf(each.entry)) for each in found]
        return Covered(
            writer,
            seq,
            [leaf for is_message, leaf in leaves if not is_message],
            [leaf for is_message, leaf in leaves if is_message],
        )

    async def _between(self, bot_id: str, writer: int, first: int, last: int) -> list[StoredCommit]:
        found: list[StoredCommit] = []
        after = first - 1
        while after < last:
            limit = min(_PAGE, last - after)
            page = await self.store.chain_commits(bot_id, writer, after, limit)
            if not page:
                break
            found += page
            after = page[-1].commit.seq
        return found


def _agrees(
    commits: Sequence[StoredCommit], covered: Sequence[Covered], told: Sequence[Told]
) -> bool:
    """Whether the contact's entries are those that their commits were made of."""
    by_place = {(each.commit.writer, each.commit.seq): each.commit for each in commits}
    hashes = {
        (each.writer, each.seq): {*each.events, *each.messages}
        for each in covered
        if _covers(by_place.get((each.writer, each.seq)), each)
    }
    found = (hashes.get((each.entry.writer, each.entry.seq), ()) for each in told)
    return (
        all(each.commit.hash == each.hash for each in commits)
        and all(_follows(*pair) for pair in pairwise(commits))
        and all(entries.leaf(each.entry) in there for each, there in zip(told, found, strict=True))
    )


def _covers(commit: Commit | None, covered: Covered) -> bool:
    return commit is not None and (commit.events_digest, commit.messages_digest) == (
        chain.leaves_digest(covered.events),
        chain.leaves_digest(covered.messages),
    )


def _follows(one: StoredCommit, other: StoredCommit) -> bool:
    """Whether it can be the next: of commits that are no neighbours nothing can be said."""
    first, second = one.commit, other.commit
    if (first.writer, first.seq + 1) != (second.writer, second.seq):
        return True
    return one.hash == second.previous


def standing(proof: Proof) -> str:
    """The contact's standing answer (R4)."""
    if consent.opted_in(proof.clocks, proof.now, proof.bot.policy):
        return "opted_in"
    return "opted_out" if consent.newest_opt_out(proof.clocks) != consent.NEVER else "unknown"
