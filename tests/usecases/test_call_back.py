"""CallBack: what the business is owed is posted until it took it or never will (SPEC 4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from optin.domain.errors import StoreUnavailable
from optin.ports.poster import PostFailed
from optin.ports.store import Callback, CallbackKind, CallbackStage
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


async def the_one(store: SQLiteStore) -> Callback:
    """The only callback there is, as it stands."""
    [callback] = await store.callbacks(BOT, "", 10)
    return callback


@dataclass
class Dying:
    """The store of a process that ends before it can write down what became of a post."""

    store: SQLiteStore

    async def put_callbacks(self, *_: object) -> None:
        raise StoreUnavailable("The process is gone.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def round_of(store: SQLiteStore, receiver: Receiver) -> int:
    """Posts everything that is due; how many that was."""
    call_back = CallBack(store, receiver, "process-1", new_id)
    leased = await call_back.lease(100)
    for callback in leased:
        await call_back.deliver(callback)
    return len(leased)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_what_was_taken_is_not_posted_again(
    store: SQLiteStore, clock: Clock, status: int
) -> None:
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
async def test_what_was_refused_for_good_is_dead(
    store: SQLiteStore, clock: Clock, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """SPEC 4: permanent refusals are not tried again; they are shown, and the log says so."""
    await owe(store)
    receiver = Receiver([status])
    await round_of(store, receiver)
    clock.now += 10**12
    assert await round_of(store, receiver) == 0
    dead = await the_one(store)
    assert (dead.stage, dead.outcome, dead.attempts) == ("dead", f"HTTP {status}", 1)
    assert f"given up after HTTP {status}" in caplog.text


async def test_fifteen_retries_then_dead(store: SQLiteStore, clock: Clock) -> None:
    """SPEC 4: 5 s, doubling, fifteen times, the last after 81,920 s; not a microsecond early."""
    await owe(store)
    receiver, gaps = Receiver([500] * 15 + [None]), [0]
    while (await the_one(store)).stage is CallbackStage.WAITING:
        clock.now += max(gaps[-1] - 1, 0)
        assert gaps == [0] or await round_of(store, receiver) == 0
        clock.now += min(gaps[-1], 1)
        assert await round_of(store, receiver) == 1
        gaps.append((await the_one(store)).due - clock.now)
    assert gaps[1:16] == [5 * SECOND * 2**n for n in range(15)]
    assert gaps[15] == 81_920 * SECOND
    dead = await the_one(store)
    assert (dead.stage, dead.attempts) == ("dead", 16)
    assert (dead.outcome, len(receiver.posts)) == ("no answer: no answer", 16)


@pytest.mark.parametrize(
    ("status", "stage", "outcome"),
    [
        (204, "done", "HTTP 204"),
        (503, "waiting", "HTTP 503"),
        (None, "waiting", "no answer: no answer"),
    ],
)
async def test_the_last_outcome_is_kept(
    store: SQLiteStore, status: int | None, stage: str, outcome: str
) -> None:
    """SPEC 4: what became of a callback can be seen, also of one that was taken."""
    await owe(store)
    await round_of(store, Receiver([status]))
    tried = await the_one(store)
    assert (tried.stage, tried.outcome, tried.attempts) == (stage, outcome, 1)
    assert (tried.claimant, tried.leased_until) == ("", 0)


async def test_a_failing_one_holds_up_no_later_one(store: SQLiteStore) -> None:
    """SPEC 4: what came later is posted while the earlier one waits for its next try."""
    await owe(store, "C1")
    receiver = Receiver([500])
    await round_of(store, receiver)
    await owe(store, "C2")
    assert await round_of(store, receiver) == 1
    stages = {c.callback_id: c.stage for c in await store.callbacks(BOT, "", 10)}
    assert stages == {"C1": "waiting", "C2": "done"}


async def test_a_relay_goes_out_with_its_own_headers(store: SQLiteStore) -> None:
    """SPEC 4: byte for byte with the provider's signature, whatever key the bot has."""
    await store.put_settings(BOT, {"callback_hmac_key": "legacy-key"})
    signed = {"content-type": "application/json; charset=utf-8", "x-hub-signature-256": "sha256=a"}
    raw = b'\xff {"object" : 1}\n'
    relay = Callback(BOT, "C1", URL, raw, 0, 0, kind=CallbackKind.RELAY, headers=signed)
    await within(store, lambda tx: tx.put_callback(relay))
    receiver = Receiver()
    await round_of(store, receiver)
    assert receiver.posts == [(URL, signed, raw)]


async def test_a_process_that_died_between_post_and_commit(
    store: SQLiteStore, clock: Clock
) -> None:
    """SPEC 4: posted and not written down is posted again, at least once; nothing is lost."""
    await owe(store)
    receiver = Receiver()
    dying = CallBack(Dying(store), receiver, "process-1", new_id)
    [callback] = await dying.lease(10)
    with pytest.raises(StoreUnavailable):
        await dying.deliver(callback)
    assert (len(receiver.posts), (await the_one(store)).stage) == (1, "waiting")
    clock.now += LEASE
    assert await round_of(store, receiver) == 1
    assert (len(receiver.posts), (await the_one(store)).stage) == (2, "done")


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
    assert (await the_one(store)).outcome == "the bot was removed"
