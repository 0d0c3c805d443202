"""Reports of a relayed message that come before its outcome is settled (SPEC 4, 5, 7, H8)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from optin.domain.bots import Bot
from optin.domain.events import SECOND, Kind
from optin.domain.handing_over import foretold_id
from optin.domain.messages import MessageState
from optin.domain.outbox import Stage
from optin.ports.store import Erasing
from optin.ports.upstream import Unknown
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import parse, valid_signature
from optin.upstreams.sandbox_webhooks import status_report
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.relay import Handled, Relay
from tests.upstreams.test_pacing import message
from tests.usecases.outbox import (
    ADA,
    BEN,
    BOT,
    UTILITY,
    Clock,
    TellingUpstream,
    add_bot,
    again,
    clocks,
    consent,
    deliver_due,
    deliverer,
    opened,
    owed,
)
from tests.usecases.outbox import send as send_message
from tests.usecases.test_relay import TellingGraph, Troubled, relay, send

STOPPED = {"code": 131050, "title": "stopped", "error_data": {"details": "stopped"}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    """With a bot that is called back, and a contact who wrote just now."""
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await made.put_settings(BOT, {"callback_url": "https://shop.example/legacy"})
        await consent(made, Kind.MESSAGE, ADA)
        yield made


def report(
    clock: Clock, state: str, upstream_id: str = "wamid.1", error: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The status as Meta has it, with the client's own data in it."""
    about = message("theirs", ADA, BOT)
    body = json.loads(status_report(Bot(BOT), about, upstream_id, state, clock.now, error))
    told: dict[str, Any] = body
    return told


async def comes(store: Any, body: dict[str, Any], **changed: Any) -> None:
    """Meta posts it; `...` takes a member of the status away."""
    [status] = body["entry"][0]["changes"][0]["value"]["statuses"]
    for name, value in changed.items():
        status.pop(name, None)
        if value is not ...:
            status[name] = value
    await ReceiveInbound(store, parse, valid_signature).take_in(BOT, json.dumps(body).encode())


async def unsettled(store: SQLiteStore, outcome: Any = None) -> tuple[Relay, Handled]:
    """A message that was sent and answered, while the store does not take its outcome yet."""
    graph = TellingGraph() if outcome is None else TellingGraph(outcome)
    relaying = relay(Troubled(store, down_for=1), graph)
    return relaying, await send(relaying)


async def test_a_report_before_the_outcome_counts(store: SQLiteStore, clock: Clock) -> None:
    """It finds no message by the provider's id, and is kept until one settles under it."""
    relaying, handled = await unsettled(store)
    await comes(store, report(clock, "delivered"))
    assert (await again(store, handled.record)).stage is Stage.CLAIMED
    await relaying.close()
    kept = await again(store, handled.record)
    assert (kept.stage, kept.state) == (Stage.SETTLED, MessageState.DELIVERED)
    assert kept.upstream_id == "wamid.1"
    await comes(store, report(clock, "read"))
    assert (await again(store, handled.record)).state is MessageState.READ


@pytest.mark.parametrize("order", [("sent", "read", "delivered"), ("read",), ("sent", "failed")])
async def test_early_reports_come_in_any_order(
    store: SQLiteStore, clock: Clock, order: tuple[str, ...]
) -> None:
    """They move on as those of any message do, and the newest state is the message's."""
    relaying, handled = await unsettled(store)
    for state in order:
        await comes(store, report(clock, state))
    await relaying.close()
    expected = MessageState.READ if "read" in order else MessageState.FAILED
    assert (await again(store, handled.record)).state is expected


async def test_an_early_report_is_called_back_once(store: SQLiteStore, clock: Clock) -> None:
    """In the legacy shape and by our id of the message, when it is known whose it is (SPEC 4)."""
    relaying, handled = await unsettled(store)
    for _ in range(2):
        await comes(store, report(clock, "delivered"))
    assert await owed(store) == []
    await relaying.close()
    [told] = await owed(store)
    [row] = json.loads(told.body)["statuses"]
    assert (row["message_id"], row["state"]) == (handled.record.message_id, "delivered")


async def test_an_early_report_outlives_a_crash(tmp_path: Path, clock: Clock) -> None:
    """It is on disk before its webhook is answered: another process settles with it (R13)."""
    async with opened(tmp_path / "t.db", clock) as first:
        await add_bot(first)
        await consent(first, Kind.MESSAGE, ADA)
        relaying, handled = await unsettled(first)
        async with opened(tmp_path / "t.db", clock) as second:
            await comes(second, report(clock, "read"))
        await relaying.close()
    async with opened(tmp_path / "t.db", clock) as third:
        assert (await again(third, handled.record)).state is MessageState.READ


async def test_settling_twice_is_settling_once(store: SQLiteStore, clock: Clock) -> None:
    """What was kept is used up: nothing finds it by the provider's id again."""
    relaying, handled = await unsettled(store)
    await comes(store, report(clock, "sent"))
    await relaying.close()
    spent = await store.message(BOT, foretold_id(BOT, "wamid.1"))
    assert spent is not None
    assert (spent.upstream_id, spent.identity, spent.details) == ("", "", "")
    await comes(store, report(clock, "delivered"))
    assert (await again(store, handled.record)).state is MessageState.DELIVERED
    assert (await store.message(BOT, spent.message_id)) == spent


async def test_an_early_stop_of_nobody_named_is_recorded(store: SQLiteStore, clock: Clock) -> None:
    """R8: a failure by 131050 need not say whose it was; the message that settles does."""
    relaying, handled = await unsettled(store)
    await comes(store, report(clock, "failed", error=STOPPED), recipient_id=...)
    assert (await clocks(store, ADA)).provider_marketing_stop <= 0
    await relaying.close()
    assert (await clocks(store, ADA)).provider_marketing_stop > 0
    assert (await again(store, handled.record)).state is MessageState.FAILED


async def test_an_early_stop_outlives_its_message(store: SQLiteStore, clock: Clock) -> None:
    """R8: so it is when an erasure took the message's record meanwhile."""
    relaying, _ = await unsettled(store)
    await comes(store, report(clock, "failed", error=STOPPED), recipient_id=...)
    await store.forget(BOT, ADA, Erasing(b"e" * 16, "test"))
    assert (await clocks(store, ADA)).provider_marketing_stop <= 0
    await relaying.close()
    assert (await clocks(store, ADA)).provider_marketing_stop > 0


async def test_reports_of_other_programs_leave_nothing(store: SQLiteStore, clock: Clock) -> None:
    """While no relayed message waits for its id, a report of an unknown one is nobody's."""
    await comes(store, report(clock, "sent", "wamid.another"))
    assert await store.message(BOT, foretold_id(BOT, "wamid.another")) is None


async def test_reports_of_other_programs_do_no_harm(store: SQLiteStore, clock: Clock) -> None:
    """While one waits they are kept, called back to nobody, and no message takes them for its own;
    nor are they taken for messages that wait or whose outcome is unknown (H8)."""
    relaying, handled = await unsettled(store)
    for state in ("sent", "failed"):
        await comes(store, report(clock, state, "wamid.another"))
    kept = await store.message(BOT, foretold_id(BOT, "wamid.another"))
    assert kept is not None
    assert (kept.stage, kept.state) == (Stage.SETTLED, MessageState.FAILED)
    await relaying.close()
    assert (await again(store, handled.record)).state is MessageState.DISPATCHED
    assert await owed(store) == []
    assert await store.stale_messages(clock.now + SECOND, 10) == []
    assert (await store.lease_messages("w", SECOND, 10))[1] == []


async def test_an_unknown_outcome_is_not_guessed(store: SQLiteStore, clock: Clock) -> None:
    """A report alone does not say that it is about the message without an answer: 24 h (H8)."""
    relaying, handled = await unsettled(store, Unknown("cut off"))
    await relaying.close()
    await comes(store, report(clock, "delivered"))
    assert (await again(store, handled.record)).stage is Stage.CLAIMED


@pytest.mark.parametrize("state", ["delivered", "failed"])
async def test_the_clients_own_data_is_no_id_of_ours(
    store: SQLiteStore, clock: Clock, state: str
) -> None:
    """It may be that of a message that waits: the report is about the one that was sent, and a
    stop that it tells of is its recipient's alone (H8, R8)."""
    await consent(store, Kind.OPT_IN, BEN)
    [waiting] = await send_message(store, BEN, message=UTILITY)
    relaying = relay(store, TellingGraph())
    handled = await send(relaying)
    await relaying.close()
    error = STOPPED if state == "failed" else None
    await comes(
        store, report(clock, state, error=error), biz_opaque_callback_data=waiting.message_id
    )
    assert (await again(store, handled.record)).state == state
    assert await again(store, waiting) == waiting
    assert (await clocks(store, BEN)).provider_marketing_stop <= 0


async def test_a_known_id_of_the_providers_says_more_than_the_clients_data(
    store: SQLiteStore, clock: Clock
) -> None:
    """Also where that is the id of a message that may have been sent: it stays unknown (H8)."""
    await consent(store, Kind.OPT_IN, BEN)
    [claimed] = await send_message(store, BEN, message=UTILITY)
    await deliver_due(deliverer(store, TellingUpstream([Unknown("cut off")])))
    claimed = await again(store, claimed)
    assert claimed.stage is Stage.CLAIMED
    relaying = relay(store, TellingGraph())
    handled = await send(relaying)
    await relaying.close()
    told = report(clock, "failed", error=STOPPED)
    await comes(store, told, biz_opaque_callback_data=claimed.message_id)
    assert (await again(store, handled.record)).state is MessageState.FAILED
    assert await again(store, claimed) == claimed
    assert (await clocks(store, BEN)).provider_marketing_stop <= 0


async def test_an_unknown_report_does_not_settle_what_was_never_sent(
    store: SQLiteStore, clock: Clock
) -> None:
    """Also before the provider's id is known: a message without a try is meant by no report."""
    await consent(store, Kind.OPT_IN, BEN)
    [waiting] = await send_message(store, BEN, message=UTILITY)
    relaying, handled = await unsettled(store)
    told = report(clock, "failed", error=STOPPED)
    await comes(store, told, biz_opaque_callback_data=waiting.message_id)
    assert await again(store, waiting) == waiting
    await relaying.close()
    assert (await again(store, handled.record)).state is MessageState.FAILED
    assert (await clocks(store, BEN)).provider_marketing_stop <= 0
