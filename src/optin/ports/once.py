"""Work that is done once for each `Idempotency-Key`, its answer in the same commit (SPEC 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from optin.ports.records import AnswerKey, Reads, StoredAnswer
from optin.ports.transaction import Transaction, Work

R = TypeVar("R")
T = TypeVar("T")


class Answered(Exception):
    """The key has its answer already, so nothing was done again."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__("The key has its answer already.")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Once(Generic[T]):
    """Makes a work one that is done once. `digest`: of what was asked for, SHA-256; `render`:
    status and body of the answer to the work's result."""

    key: AnswerKey
    digest: Callable[[], bytes]
    render: Callable[[T], tuple[int, bytes]]

    def of(self, work: Work[R], finish: Callable[[R], T]) -> Work[T]:
        """The work, ending in `finish` and with its answer kept; raises `Answered` if there is
        one."""
        return _Kept(work, finish, self.key, self.digest(), self.render)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[R, T]):
    work: Work[R]
    finish: Callable[[R], T]
    key: AnswerKey
    digest: bytes
    render: Callable[[T], tuple[int, bytes]]

    @property
    def bot_id(self) -> str:
        return self.work.bot_id

    @property
    def reads(self) -> Reads:
        return replace(self.work.reads, answers=frozenset({self.key}))

    def run(self, tx: Transaction) -> T:
        known = tx.answer(self.key)
        if known is not None:
            raise Answered(known)
        result = self.finish(self.work.run(tx))
        status, body = self.render(result)
        who = tuple(sorted(self.work.reads.identities))
        tx.put_answer(StoredAnswer(self.key, self.digest, status, body, tx.now, who))
        return result


@dataclass(frozen=True, slots=True)
class Keep:
    """Keeps the answer to what was done already and does no harm when it is done again."""

    bot_id: str
    answer: StoredAnswer

    @property
    def reads(self) -> Reads:
        """The answer."""
        return Reads(answers=frozenset({self.answer.key}))

    def run(self, tx: Transaction) -> None:
        """Keeps it, if there is none yet."""
        if tx.answer(self.answer.key) is None:
            tx.put_answer(replace(self.answer, created=tx.now))


@dataclass(frozen=True, slots=True)
class LookUp:
    """The answer that a key has, if any."""

    bot_id: str
    key: AnswerKey

    @property
    def reads(self) -> Reads:
        """The answer."""
        return Reads(answers=frozenset({self.key}))

    def run(self, tx: Transaction) -> StoredAnswer | None:
        """The answer, or None."""
        return tx.answer(self.key)
