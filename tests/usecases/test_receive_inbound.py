"""ReceiveInbound: signed webhooks become consent, reports and callbacks (SPEC 5, R9 to R13)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.consent import NEVER
from optin.domain.errors import InvalidSignature, StoreUnavailable
from optin.domain.events import Kind
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.store import Work
from optin.ports.upstream import Accepted, Unknown
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from optin.usecases.receive_inbound import ReceiveInbound
from tests.conftest import first_token
from tests.usecases.outbox import (
    ADA,
    BOT,
    START,
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
    put_template,
    send,
    within,
)

SECRET, NUMBER, HIDDEN = "app-secret", "PNID1", "SE.1349120865530274"
SECOND = 1_000_000
NOW = START // SECOND


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(
            made,
            meta__app_secret=SECRET,
            meta__phone_number_id=NUMBER,
            meta__verify_token="let-me-in",
        )
        await put_template(made, Category.UTILITY)
        yield made


def inbound(store: Any) -> ReceiveInbound:
    return ReceiveInbound(store, parse, valid_signature)


def body(number: str = NUMBER, **lists: Any) -> bytes:
    """A webhook body with these lists in one change."""
    value = {"metadata": {"phone_number_id": number}, **lists}
    entry = {"id": "WABA1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def text(said: str, wamid: str = "wamid.A", at: int = NOW, **more: Any) -> dict[str, Any]:
    """A text message from Ada, `at` in whole seconds."""
    return {
        "from": ADA,
        "id": wamid,
        "timestamp": str(at),
        "type": "text",
        "text": {"body": said},
        **more,
    }


def status(message: OutboxMessage, word: str, at: int = NOW, **more: Any) -> dict[str, Any]:
    """A report about the message by our own id."""
    return {
        "id": f"wamid.{message.message_id}",
        "status": word,
        "timestamp": str(at),
        "recipient_id": message.identity,
        "biz_opaque_callback_data": message.message_id,
        **more,
    }


async def receive(store: Any, content: bytes) -> None:
    await inbound(store).receive(BOT, content, sign(SECRET, content))


async def sent(store: SQLiteStore, *outcomes: Any) -> OutboxMessage:
    """A message to Ada after its hand-over, the callback of that out of the way."""
    await consent(store, Kind.OPT_IN, ADA)
    [message] = await send(store, ADA, message=UTILITY)
    await deliver_due(deliverer(store, TellingUpstream(outcomes)))
    await store.put_callbacks(await owed(store), [])
    return await again(store, message)


async def told(store: SQLiteStore) -> list[dict[str, Any]]:
    """The bodies of the callbacks that are owed."""
    return [json.loads(callback.body) for callback in await owed(store)]


async def kept(store: SQLiteStore) -> list[tuple[str, bytes]]:
    """(note, body) of what was stored because it was not understood."""
    return [(kept.note, kept.body) for kept in await store.webhooks(BOT, b"", 100, noted=True)]


async def recorded(store: SQLiteStore, *identities: str) -> list[tuple[str, Kind]]:
    """(identity, kind) of every event of these identities."""
    history = await store.histories(BOT, identities)
    return [
        (identity, event.claim.kind)
        for identity in identities
        for event in sorted(history.events[identity], key=lambda event: event.claim.kind)
    ]


@pytest.mark.parametrize("header", [None, "", "sha256=" + "0" * 64, sign("other", b"{}")])
async def test_a_wrong_signature_changes_nothing(store: SQLiteStore, header: str | None) -> None:
    """SPEC 5: a wrong or missing signature is refused, and the STOP in it is not believed."""
    with pytest.raises(InvalidSignature):
        await inbound(store).receive(BOT, body(messages=[text("STOP")]), header)
    assert (await recorded(store, ADA), await told(store), await kept(store)) == ([], [], [])


async def test_a_bot_without_a_secret_believes_nobody(store: SQLiteStore) -> None:
    """R12: a missing app secret fails closed, whatever the body is signed with."""
    await store.put_settings(BOT, {"meta.app_secret": ""})
    content = body(messages=[text("hi")])
    for secret in ("", SECRET):
        with pytest.raises(InvalidSignature):
            await inbound(store).receive(BOT, content, sign(secret, content))
    assert await recorded(store, ADA) == []


async def test_an_unknown_bot_is_a_wrong_signature(store: SQLiteStore) -> None:
    """SPEC 5: nobody learns from the answer which bots there are."""
    content = body(messages=[text("hi")])
    with pytest.raises(InvalidSignature):
        await inbound(store).receive("nobody", content, sign(SECRET, content))


async def test_a_message_opens_a_session_and_is_called_back(store: SQLiteStore) -> None:
    """R5, R9: the message's own time opens the session; the business gets the legacy shape."""
    people = [{"wa_id": ADA, "profile": {"name": "Ada"}}]
    await receive(store, body(messages=[text("hello", at=NOW - 60)], contacts=people))
    assert (await clocks(store, ADA)).message == START - 60 * SECOND
    assert await told(store) == [
        {
            "type": "whatsapp",
            "notifications": [
                {
                    "from": ADA,
                    "to": BOT,
                    "message_id": "wamid.A",
                    "message": {"type": "text", "body": "hello"},
                    "timestamp": "2026-11-18T11:05:40Z",
                }
            ],
            "contacts": [{"profile": {"name": "Ada"}, "wa_id": ADA}],
        }
    ]


async def test_a_stop_word_is_an_opt_out_and_opens_no_session(store: SQLiteStore) -> None:
    """R9, R10, R3: an opt-out counts as the last instant of its second; it is no message."""
    await receive(store, body(messages=[text("Stop!", at=NOW - 60)]))
    after = await clocks(store, ADA)
    assert after.opt_out_keyword == START - 60 * SECOND + SECOND - 1
    assert after.message == NEVER
    assert len(await told(store)) == 1
    [event] = (await store.histories(BOT, [ADA])).events[ADA]
    assert event.claim.from_contact
    assert dict(event.claim.evidence) == {"text": "Stop!"}
    assert dict(event.claim.context) == {"message_id": "wamid.A"}
    assert (event.claim.source, event.claim.actor) == ("webhook:meta", "webhook")


async def test_a_start_word_is_both(store: SQLiteStore) -> None:
    """R10: a start word is an event of its own, and the message opens a session as any other."""
    await receive(store, body(messages=[text("START")]))
    assert {kind for _, kind in await recorded(store, ADA)} == {Kind.START_WORD, Kind.MESSAGE}


async def test_a_stop_word_can_sit_in_a_button(store: SQLiteStore) -> None:
    """R10: any of the places counts, and a stop in one of them wins over the others."""
    pressed = {**text(""), "type": "button", "button": {"text": "Start", "payload": "STOP"}}
    await receive(store, body(messages=[pressed]))
    assert await recorded(store, ADA) == [(ADA, Kind.OPT_OUT_KEYWORD)]


@pytest.mark.parametrize(
    ("sender", "kind"), [("12025550123", Kind.OPT_OUT_KEYWORD), (ADA, Kind.MESSAGE)]
)
async def test_end_counts_for_numbers_of_plus_1(
    store: SQLiteStore, sender: str, kind: Kind
) -> None:
    """R10: END and CANCEL are stop words for +1, ordinary messages elsewhere."""
    await receive(store, body(messages=[text("END") | {"from": sender}]))
    assert await recorded(store, sender) == [(sender, kind)]


async def test_a_stop_in_a_language_of_the_bot_only(store: SQLiteStore) -> None:
    """R10: the bot's language packs decide what a stop word is."""
    await store.put_settings(BOT, {"languages": "xx"})
    await receive(store, body(messages=[text("STOP")]))
    assert await recorded(store, ADA) == [(ADA, Kind.MESSAGE)]


async def test_every_identity_of_a_message_gets_its_event(store: SQLiteStore) -> None:
    """R11: a message that carries phone and BSUID counts as given by both."""
    await receive(store, body(messages=[text("stop", from_user_id=HIDDEN)]))
    assert await recorded(store, ADA, HIDDEN) == [
        (ADA, Kind.LINKED),
        (ADA, Kind.OPT_OUT_KEYWORD),
        (HIDDEN, Kind.LINKED),
        (HIDDEN, Kind.OPT_OUT_KEYWORD),
    ]


async def test_a_stop_without_a_readable_time_counts_when_recorded(
    store: SQLiteStore, clock: Clock
) -> None:
    """R3: an opt-out never fails for its time; a message without one opens nothing."""
    unreadable = text("stop") | {"timestamp": "yesterday"}
    await receive(store, body(messages=[unreadable, text("hi", "wamid.B") | {"timestamp": None}]))
    after = await clocks(store, ADA)
    assert (after.opt_out_keyword, after.message) == (clock.now, NEVER)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "system", "system": {"type": "customer_identity_changed", "body": "STOP"}},
        {"type": "revoke", "revoke": {"original_message_id": "wamid.0"}},
        {"type": "text", "text": {"body": "stop"}, "group_id": "G1"},
        {"type": "text", "text": {"body": "hello"}, "group_id": "G1"},
    ],
)
async def test_what_is_no_message_of_the_contact_changes_no_consent(
    store: SQLiteStore, message: dict[str, Any]
) -> None:
    """R9: system messages, deletions and group traffic open nothing and stop nothing."""
    given = {"from": ADA, "id": "wamid.A", "timestamp": str(NOW), **message}
    await receive(store, body(messages=[given]))
    assert await recorded(store, ADA) == []


async def test_a_body_that_comes_twice_changes_nothing(store: SQLiteStore, clock: Clock) -> None:
    """SPEC 5: duplicates change nothing: no event, no callback, no clock."""
    content = body(messages=[text("stop", "wamid.B"), text("hi"), text("hi")])
    await receive(store, content)
    before = (await recorded(store, ADA), await clocks(store, ADA))
    await store.put_callbacks(await owed(store), [])
    clock.now += 3600 * SECOND
    await receive(store, content)
    await receive(store, body(messages=[text("hi")]))
    assert (await recorded(store, ADA), await clocks(store, ADA)) == before
    assert len(before[0]) == 2
    assert await told(store) == []


async def test_what_records_nothing_is_told_once(store: SQLiteStore, clock: Clock) -> None:
    """SPEC 5, R9: a message taken back opens nothing, and coming again it owes no callback more."""
    gone = text("", type="revoke", revoke={"original_message_id": "wamid.0"})
    for _ in range(3):
        await receive(store, body(messages=[gone]))
        clock.now += 60 * SECOND
    assert len(await told(store)) == 1


async def test_a_late_message_after_an_opt_out_lifts_nothing(store: SQLiteStore) -> None:
    """R2, R5: an older message that arrives after the STOP opens no session."""
    await receive(store, body(messages=[text("stop", "wamid.B")]))
    await receive(store, body(messages=[text("hi", at=NOW - 5)]))
    [refused] = await send(store, ADA)
    assert (refused.state, refused.details) == (MessageState.NO_OPT_IN, "opted_out")


async def test_a_blacklisted_sender_is_not_called_back(store: SQLiteStore) -> None:
    """SPEC 3: for consent they count as any other; listed in one spelling, met in another."""
    listed, met = "525512345678", "5215512345678"
    await within(store, lambda tx: tx.put_blacklisted(listed, True), blacklist=frozenset({listed}))
    await receive(store, body(messages=[text("hi") | {"from": met}, text("hi", "wamid.B")]))
    assert await recorded(store, met) == [(met, Kind.MESSAGE)]
    assert [row["notifications"][0]["from"] for row in await told(store)] == [ADA]


@pytest.mark.parametrize(
    ("value", "clock_name"),
    [("stop", "provider_marketing_stop"), ("resume", "provider_marketing_resume")],
)
async def test_a_preference_moves_the_providers_clock(
    store: SQLiteStore, value: str, clock_name: str
) -> None:
    """R8: stop and resume at the provider have clocks of their own, and touch no other."""
    chosen = {"wa_id": ADA, "category": "marketing_messages", "value": value, "timestamp": NOW - 9}
    await receive(store, body(user_preferences=[chosen]))
    moved = {k: v for k, v in (await clocks(store, ADA))._asdict().items() if v not in (NEVER, {})}
    late = SECOND - 1 if value == "stop" else 0
    assert moved == {clock_name: START - 9 * SECOND + late}


async def test_two_stops_without_a_time_are_two(store: SQLiteStore, clock: Clock) -> None:
    """R3: choices whose times cannot be read are told apart by their bodies."""
    chosen = {"wa_id": ADA, "value": "stop", "category": "marketing_messages", "timestamp": None}
    for minute in (1, 2):
        clock.now += 60 * SECOND
        await receive(store, body(user_preferences=[chosen | {"detail": str(minute)}]))
    assert (await clocks(store, ADA)).provider_marketing_stop == clock.now


async def test_an_unknown_preference_is_kept(store: SQLiteStore) -> None:
    """SPEC 5: what has no meaning for us is stored; a resume of something unknown lifts nothing."""
    content = body(
        user_preferences=[
            {"wa_id": ADA, "value": "signup", "category": "marketing_messages", "timestamp": NOW},
            {"wa_id": ADA, "value": "resume", "category": "something", "timestamp": NOW},
        ]
    )
    await receive(store, content)
    assert await recorded(store, ADA) == []
    assert [stored for _, stored in await kept(store)] == [content]


async def test_reports_move_a_message_on_and_are_called_back(
    store: SQLiteStore, clock: Clock
) -> None:
    """SPEC 4: each new state is told once with the report's time; never backwards (H8)."""
    message = await sent(store)
    for word in ("delivered", "sent", "delivered", "read"):
        clock.now += SECOND
        await receive(store, body(statuses=[status(message, word, NOW - 9)]))
    assert (await again(store, message)).state is MessageState.READ
    rows = [row["statuses"][0] for row in await told(store)]
    assert rows[0] == {
        "message_id": message.message_id,
        "recipient": f"+{ADA}",
        "status": "success",
        "state": "delivered",
        "timestamp": "2026-11-18T11:06:31Z",
    }
    assert [row["state"] for row in rows] == ["delivered", "read"]


async def test_a_report_is_matched_by_the_providers_id(store: SQLiteStore) -> None:
    """A report without our correlation id finds the message by the id of the provider's answer."""
    message = await sent(store, Accepted("wamid.X"))
    report = status(message, "delivered") | {"id": "wamid.X"}
    del report["biz_opaque_callback_data"]
    await receive(store, body(statuses=[report]))
    assert (await again(store, message)).state is MessageState.DELIVERED


async def test_a_report_about_another_message_changes_none(store: SQLiteStore) -> None:
    """A correlation id under another provider's id, or an unknown one, moves nothing."""
    message = await sent(store, Accepted("wamid.X"))
    foreign = status(message, "read") | {"id": "wamid.FOREIGN"}
    unknown = {"id": "wamid.Z", "status": "read", "timestamp": str(NOW), "recipient_id": ADA}
    await receive(store, body(statuses=[foreign, unknown]))
    assert await again(store, message) == message
    assert await told(store) == []


@pytest.mark.parametrize(
    ("word", "state"), [("sent", MessageState.SENT), ("failed", MessageState.FAILED)]
)
async def test_a_report_settles_an_unknown_outcome(
    store: SQLiteStore, clock: Clock, word: str, state: MessageState
) -> None:
    """H8: a claimed message is settled by its report, and the sweep leaves it alone."""
    message = await sent(store, Unknown("timed out"))
    assert message.stage is Stage.CLAIMED
    errors = [{"code": 131026, "title": "no", "error_data": {"details": "not reachable"}}]
    more = {"errors": errors} if word == "failed" else {}
    await receive(store, body(statuses=[status(message, word) | more]))
    after = await again(store, message)
    assert (after.stage, after.state) == (Stage.SETTLED, state)
    assert after.upstream_id == f"wamid.{message.message_id}"
    assert after.details == ("131026 not reachable" if word == "failed" else "")
    clock.now += 25 * 3600 * SECOND
    await deliverer(store, TellingUpstream()).sweep()
    assert await again(store, message) == after


async def test_a_failure_of_an_earlier_try_does_not_end_a_retry(
    store: SQLiteStore, clock: Clock
) -> None:
    """The same fault can come as an answer and as a report; the message that waits goes on."""
    await consent(store, Kind.OPT_IN, ADA)
    [waiting] = await send(store, ADA, message=UTILITY)
    await receive(store, body(statuses=[status(waiting, "failed")]))
    assert await again(store, waiting) == waiting


@pytest.mark.parametrize("named", [True, False])
async def test_error_131050_is_a_marketing_stop(store: SQLiteStore, named: bool) -> None:
    """R8: the contact stopped marketing at the provider, at the report's time; a report that does
    not name its recipient is about the message's."""
    message = await sent(store, Accepted("wamid.X"))
    report = status(message, "failed", NOW - 9, errors=[{"code": 131050}]) | {"id": "wamid.X"}
    del report["biz_opaque_callback_data" if named else "recipient_id"]
    content = body(statuses=[report])
    await receive(store, content)
    await receive(store, content)
    assert (await clocks(store, ADA)).provider_marketing_stop == START - 8 * SECOND - 1
    stops = [k for _, k in await recorded(store, ADA) if k is Kind.PROVIDER_MARKETING_STOP]
    assert len(stops) == 1
    assert (await again(store, message)).state is MessageState.FAILED


async def test_a_stop_of_nobody_known_is_kept(store: SQLiteStore) -> None:
    """SPEC 5: a 131050 about an unknown message without a recipient is stored, not dropped."""
    report = {"id": "wamid.Z", "status": "failed", "errors": [{"code": 131050}]}
    await receive(store, body(statuses=[report]))
    assert [note for note, _ in await kept(store)] == ["a marketing stop of nobody known"]


async def test_one_bad_item_drops_no_neighbour(store: SQLiteStore) -> None:
    """SPEC 5: what is not understood is stored, and the STOP beside it counts."""
    items = [{"no": "sender"}, 7, text("stop"), {"from": ADA, "type": "text"}]
    await receive(store, body(messages=items, something_new=[1]))
    assert await recorded(store, ADA) == [(ADA, Kind.OPT_OUT_KEYWORD)]
    assert len(await kept(store)) == 4


async def test_a_body_that_is_no_json_is_kept_once(store: SQLiteStore) -> None:
    """SPEC 5: unknown shapes are stored; the same body again changes nothing."""
    for _ in range(2):
        await receive(store, b"\x00 not json")
    assert [stored for _, stored in await kept(store)] == [b"\x00 not json"]


async def test_another_business_number_is_not_this_bots(store: SQLiteStore) -> None:
    """R1, SPEC 5: an item about another number is stored and applied to nobody."""
    content = body("PNID2", messages=[text("stop"), text("hi", "wamid.B")])
    await receive(store, content)
    assert await recorded(store, ADA) == []
    assert [stored for _, stored in await kept(store)] == [content]


async def test_bots_are_apart(store: SQLiteStore) -> None:
    """R1: what one bot hears moves no clock of another, though the same body reaches both."""
    settings = {"meta.app_secret": SECRET, "meta.phone_number_id": "PNID2"}
    await store.add_bot(Bot("other", settings), first_token("other"))
    content = body("PNID2", messages=[text("stop")])
    for bot_id in ("other", BOT):
        await inbound(store).receive(bot_id, content, sign(SECRET, content))
    heard = (await store.states("other", [ADA])).states[ADA].clocks
    assert heard.opt_out_keyword != NEVER
    assert (await clocks(store, ADA)).opt_out_keyword == NEVER


async def test_a_big_body_is_taken_in_whole(store: SQLiteStore) -> None:
    """A body of 1,200 messages is committed in parts, each item once, and parsed off the loop."""
    people = [f"4673{n:07}" for n in range(1200)]
    items = [text("hi " * 20, f"wamid.{who}") | {"from": who} for who in people]
    content = body(messages=items)
    await receive(store, content)
    await receive(store, content)
    assert await recorded(store, *people) == [(who, Kind.MESSAGE) for who in people]
    _, callbacks = await store.lease_callbacks("test", 10**12, 5000)
    assert len(callbacks) == 1200


@dataclass
class Down:
    """The store from the n-th commit on: down."""

    store: SQLiteStore
    works: int = 0

    async def commit(self, work: Work[Any]) -> Any:
        if self.works == 0:
            raise StoreUnavailable("down")
        self.works -= 1
        return await self.store.commit(work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_a_store_that_is_down_is_no_success(store: SQLiteStore) -> None:
    """R13: without the commit the provider must send it again, and then all of it counts once."""
    content = body(messages=[text("hi", f"wamid.{n}") for n in range(501)])
    with pytest.raises(StoreUnavailable):
        await receive(Down(store, works=1), content)
    await receive(store, content)
    assert len(await recorded(store, ADA)) == 501


async def test_the_sandbox_needs_no_signature(store: SQLiteStore) -> None:
    """SPEC 8: what never left this program is taken in without an account's secret; the bot's own
    id stands in for a business number that is not set."""
    await store.put_settings(BOT, {"meta.phone_number_id": "", "meta.app_secret": ""})
    await inbound(store).take_in(BOT, body(BOT, messages=[text("hi")]))
    assert await recorded(store, ADA) == [(ADA, Kind.MESSAGE)]


async def test_the_worker_is_told(store: SQLiteStore) -> None:
    """`received` is called once the callbacks can be leased."""
    calls: list[int] = []
    receiver = ReceiveInbound(store, parse, valid_signature, received=lambda: calls.append(1))
    content = body(messages=[text("hi")])
    await receiver.receive(BOT, content, sign(SECRET, content))
    assert (calls, len(await owed(store))) == ([1], 1)


@pytest.mark.parametrize(
    ("bot", "mode", "token", "welcome"),
    [
        (BOT, "subscribe", "let-me-in", True),
        (BOT, "subscribe", "let-me-out", False),
        (BOT, "subscribe", "", False),
        (BOT, "unsubscribe", "let-me-in", False),
        ("nobody", "subscribe", "", False),
    ],
)
async def test_the_handshake_needs_the_bots_token(
    store: SQLiteStore, bot: str, mode: str, token: str, welcome: bool
) -> None:
    """SPEC 5: only who knows the verify token may register an address."""
    assert await inbound(store).handshake(bot, mode, token) is welcome


async def test_a_bot_without_a_verify_token_welcomes_nobody(store: SQLiteStore) -> None:
    """R12: a missing setting fails closed, an empty token does not match it."""
    await store.put_settings(BOT, {"meta.verify_token": ""})
    assert not await inbound(store).handshake(BOT, "subscribe", "")
