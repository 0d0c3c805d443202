"""`Idempotency-Key` on the writes of the native API (SPEC 6).

The same key and request get the same answer for seven days, another request `409`, and so does one
that comes while the first is under way. What must not be done twice keeps its answer in its own
commit (`ports/once.py`); what may be is done, and its answer kept afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from optin.domain.errors import (
    Conflict,
    Forbidden,
    Gone,
    InvalidInput,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)
from optin.ports.once import Answered, Keep, LookUp, Once
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import Store
from optin.web.answers import Answer
from optin.web.auth import bearer
from optin.web.streaming import Streamed

_HEADER = b"idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Keys of one bot whose first arrival is remembered: those of calls that failed, mostly.
_MOST_REMEMBERED = 10_000

#: What a call ends with that did nothing.
_REFUSED = (InvalidInput, Unauthorized, Forbidden, NotFound, Conflict, Gone, TooManyRequests)

T = TypeVar("T")


def key_in(scope: Scope, actor: str) -> AnswerKey | None:
    """The key that a write brings. Raises `InvalidInput` for one that is none.

    Path and key may name a contact. What is kept of them is a digest under the token, which is
    stored nowhere: nobody can find the number by trying them all (R15).
    """
    given = [value for name, value in scope["headers"] if name == _HEADER]
    if not given or scope["method"] not in _WRITES:
        return None
    text = given[0].decode("latin-1")
    if len(given) > 1 or not _KEY.fullmatch(text):
        raise InvalidInput(
            "Idempotency-Key takes 1 to 255 printable ASCII characters without spaces.",
            field="Idempotency-Key",
        )
    asked = f"{scope['method']} {scope['path']}\n{text}".encode("utf-8", "surrogatepass")
    name = hmac.digest(bearer(scope["headers"]), asked, "sha256").hex()
    return AnswerKey(actor, scope["method"], name)


@dataclass(slots=True)
class Keys:
    """The keys of one process: those under way, and when those first came that have no answer."""

    _under_way: set[tuple[str, ...]] = field(default_factory=set)
    _first: dict[str, OrderedDict[AnswerKey, int]] = field(default_factory=dict)

    @contextmanager
    def turn(self, bot_id: str, key: AnswerKey) -> Iterator[None]:
        """For the time of one call. Raises `Conflict` if another is under way."""
        name = (bot_id, *key)
        if name in self._under_way:
            raise Conflict("A request with this Idempotency-Key is under way.")
        self._under_way.add(name)
        try:
            yield
        finally:
            self._under_way.discard(name)

    def first_seen(self, bot_id: str, key: AnswerKey, now: int) -> int | None:
        """When the key came before, UTC µs; None if it comes for the first time, at `now`."""
        first = self._first.setdefault(bot_id, OrderedDict())
        before = first.get(key)
        if before is None:
            first[key] = now
            if len(first) > _MOST_REMEMBERED:
                first.popitem(last=False)
        return before

    def forget(self, bot_id: str, key: AnswerKey) -> None:
        """It has its answer, or nothing was done."""
        first = self._first.get(bot_id)
        if first is not None:
            first.pop(key, None)
            if not first:
                del self._first[bot_id]


class Hashed:
    """A caller's body on its way, and its digest: over the query and all that was read so far.

    The digest is keyed with the caller's token, since little is needed to guess a body (R15).
    `most`: bytes of a body that is read only for its digest.
    """

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        self._receive = receive
        begun = scope.get("query_string", b"") + b"\n"
        self._hash = hmac.new(bearer(scope["headers"]), begun, hashlib.sha256)
        self._most, self._size = most, 0
        self._more = True

    async def receive(self) -> Message:
        """As ASGI's."""
        message = await self._receive()
        if message["type"] == "http.request":
            chunk = message.get("body", b"")
            self._hash.update(chunk)
            self._size += len(chunk)
            self._more = message.get("more_body", False)
        return message

    async def whole(self) -> bytes:
        """The digest of the whole request, reading what is left of it. Raises `TooLarge`."""
        while self._more:
            if self._size > self._most:
                raise TooLarge(f"The body is larger than {self._most} bytes.")
            if (await self.receive())["type"] == "http.disconnect":
                raise ClientDisconnect
        return self.digest()

    def digest(self) -> bytes:
        """The digest of what was read."""
        return self._hash.digest()


@dataclass(slots=True)
class Keyed:
    """One call with a key. `first_seen`: when it came before, if that had no answer."""

    key: AnswerKey
    body: Hashed
    first_seen: int | None = None
    kept: bool = False

    def once(self, render: Callable[[T], Answer]) -> Once[T]:
        """For a work that keeps its own answer."""
        self.kept = True

        def told(result: T) -> tuple[int, bytes]:
            answer = render(result)
            return answer.status, answer.body

        return Once(self.key, self.body.digest, told)


async def answered_once(
    store: Store,
    keys: Keys,
    bot_id: str,
    keyed: Keyed,
    act: Callable[[], Awaitable[Answer | Streamed]],
) -> Answer | Streamed:
    """The answer that the key has, or that of `act`, kept."""
    key = keyed.key
    with keys.turn(bot_id, key):
        known = await store.commit(LookUp(bot_id, key))
        if known is None:
            keyed.first_seen = keys.first_seen(bot_id, key, await store.now())
            try:
                answer = await act()
            except Answered as before:  # another process was faster
                known = before.answer
                keys.forget(bot_id, key)
            except _REFUSED:
                if keyed.first_seen is None:  # else it may have been done before
                    keys.forget(bot_id, key)
                raise
            else:
                await _keep(store, bot_id, keyed, answer)
                keys.forget(bot_id, key)
                return answer
        return answer_again(known, await keyed.body.whole())


async def _keep(store: Store, bot_id: str, keyed: Keyed, answer: Answer | Streamed) -> None:
    if keyed.kept or isinstance(answer, Streamed) or not 200 <= answer.status < 300:
        return
    try:
        digest = await keyed.body.whole()
    except TooLarge:  # it was no part of what was asked for, and that is done
        return
    await store.commit(Keep(bot_id, StoredAnswer(keyed.key, digest, answer.status, answer.body)))


def answer_again(known: StoredAnswer, digest: bytes) -> Answer:
    """The kept answer. Raises `Conflict` if it is that of another request."""
    if known.digest != digest:
        raise Conflict("This Idempotency-Key was used for another request.")
    if not known.status:
        raise Conflict("The answer under this Idempotency-Key was erased with its contact.")
    return Answer(known.status, known.body)
