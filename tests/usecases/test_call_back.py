"""CallBack: what the business is owed is posted until it took it or never will (SPEC 4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from optin.ports.poster import PostFailed
from optin.ports.store import Callback
from optin.stores.sqlite import SQLiteStore
from optin.usecases.call_back import LEASE, YIELD, CallBack
from tests.usecases.outbox import BOT, Clock, add_bot, new_id, opened, within

SECOND = 1_000_000
URL, BODY = "https://shop.example/hook", b'{"type":"whatsapp"}'


@dataclass
class Receiver:
    """A poster that answers with these statuses, then with 200; None is no answer at all."""

    statuses: list[int | None] = field(default_factory=list)
    posts: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posts.append((url, dict(headers), body))
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            raise PostFailed("no answer")
        return status


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        yield made


async def owe(store: SQLiteStore, callback_id: str = "C1") -> None:
    """One callback, due now."""
    await within(
        store,
        lambda tx: tx.put_callback(Callback(BOT, callback_id, URL, BODY, tx.now, tx.now)),
    )


async def round_of(store: SQLiteStore, receiver: Receiver) -> int:
    """Posts everything that is due; how many that was."""
    call_back = CallBack(store, receiver, "process-1", new_id)
    leased = await call_back.lease(100)
    for callback in leased:
        await call_back.deliver(callback)
    return len(leased)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_what_was_taken_is_forgotten(store: SQLiteStore, clock: Clock, status: int) -> None:
    """SPEC 4: any 2xx ends it; the body goes out byte for byte, as JSON."""
    await owe(store)
    receiver = Receiver([status])
    await round_of(store, receiver)
    clock.now += 10**12
    assert await round_of(store, receiver) == 0
    assert receiver.posts == [(URL, {"content-type": "application/json"}, BODY)]


@pytest.mark.parametrize("status", [500, 503, 429, 408, 425, 199, None])
async def test_what_failed_comes_again(
    store: SQLiteStore, clock: Clock, status: int | None
) -> None:
    """SPEC 4: temporary failures and no answer at all are tried again after 5 s, not before."""
    await owe(store)
    receiver = Receiver([status])
    await round_of(store, receiver)
    clock.now += 5 * SECOND - 1
    assert await round_of(store, receiver) == 0
    clock.now += 1
    assert await round_of(store, receiver) == 1
    clock.now += 10**12
    assert await round_of(store, receiver) == 0


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410])
async def test_what_was_refused_for_good_is_dropped(
    store: SQLiteStore, clock: Clock, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """SPEC 4: permanent refusals are not tried again, and the log says so."""
    await owe(store)
    receiver = Receiver([status])
    await round_of(store, receiver)
    clock.now += 10**12
    assert await round_of(store, receiver) == 0
    assert f"dropped after status {status}" in caplog.text


async def test_fifteen_retries_then_no_more(store: SQLiteStore, clock: Clock) -> None:
    """SPEC 4: 5 s, doubling, fifteen times, the last after 81,920 s."""
    await owe(store)
    receiver, begun, tried = Receiver([500] * 99), clock.now, []
    for _ in range(40):
        if await round_of(store, receiver):
            tried.append((clock.now - begun) // SECOND)
        clock.now = begun + (tried[-1] * 2 + 5) * SECOND
    assert tried[:4] == [0, 5, 15, 35]
    assert (len(tried), tried[-1]) == (16, 5 * (2**15 - 1))
    assert tried[-1] - tried[-2] == 81_920


async def test_a_key_signs_every_try_with_a_nonce_of_its_own(
    store: SQLiteStore, clock: Clock
) -> None:
    """SPEC 4: HMAC over `payload.nonce` with the bot's key of now; no nonce comes twice."""
    await store.put_settings(BOT, {"callback_hmac_key": "legacy-key"})
    await owe(store)
    receiver = Receiver([500])
    await round_of(store, receiver)
    clock.now += 5 * SECOND
    await round_of(store, receiver)
    nonces = []
    for _, headers, body in receiver.posts:
        nonces.append(headers["sinch-whatsapp-callback-signature-nonce"])
        expected = hmac.new(b"legacy-key", body + b"." + nonces[-1].encode(), hashlib.sha256)
        assert headers["sinch-whatsapp-callback-signature"] == expected.hexdigest()
        assert headers["content-type"] == "application/json"
    assert len(set(nonces)) == 2


async def test_the_signature_can_be_base64(store: SQLiteStore) -> None:
    """SPEC 4: the bot's setting chooses the encoding."""
    await store.put_settings(
        BOT, {"callback_hmac_key": "legacy-key", "callback_signature": "base64"}
    )
    await owe(store)
    receiver = Receiver()
    await round_of(store, receiver)
    assert receiver.posts[0][1]["sinch-whatsapp-callback-signature"].endswith("=")


async def test_a_process_that_died_leaves_it_to_others(store: SQLiteStore, clock: Clock) -> None:
    """SPEC 4: a callback that was leased and not settled is posted once the lease ran out."""
    await owe(store)
    await CallBack(store, Receiver(), "dead", new_id).lease(10)
    receiver = Receiver()
    assert await round_of(store, receiver) == 0
    clock.now += LEASE
    assert await round_of(store, receiver) == 1


async def test_what_is_put_back_counts_no_try(store: SQLiteStore, clock: Clock) -> None:
    """A callback without a turn is due again after `YIELD` with all its tries."""
    await owe(store)
    call_back = CallBack(store, Receiver(), "process-1", new_id)
    await call_back.put_back(await call_back.lease(10))
    assert await call_back.lease(10) == []
    clock.now += YIELD
    [callback] = await call_back.lease(10)
    assert callback.attempts == 0


async def test_a_removed_bot_is_told_nothing(store: SQLiteStore) -> None:
    """Nothing goes out for a bot that was removed after the callback was leased."""
    await owe(store)
    receiver = Receiver()
    call_back = CallBack(store, receiver, "process-1", new_id)
    [callback] = await call_back.lease(10)
    await store.remove_bot(BOT)
    await call_back.deliver(callback)
    assert receiver.posts == []
