"""Sinch's webhook door through the real application (SPEC 5), down to the ledger."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import httpx
import pytest

from optin.domain.bots import Bot
from optin.domain.errors import StoreUnavailable
from optin.domain.events import SECOND, Event, Kind
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.upstream import Accepted, Unknown
from optin.stores.sqlite import SQLiteStore
from optin.upstreams import sinch_webhook
from optin.usecases.receive_inbound import ReceiveInbound
from optin.web.replays import Replays
from tests.conftest import OpenStore, first_token
from tests.upstreams.sinch_events import (
    ADA,
    APP,
    AT,
    SECRET,
    body_of,
    consent,
    failure,
    headers,
    report,
    signed,
    text,
)
from tests.usecases import outbox
from tests.usecases.outbox import UTILITY, deliver_due, deliverer, put_template
from tests.web.doors import Doors, open_doors

SHOP = outbox.BOT
PATH = f"/webhooks/sinch/{SHOP}"


class Hearing(ReceiveInbound):
    """Counts what reaches the use case."""

    __slots__ = ()
    heard: ClassVar[list[bytes]] = []

    async def receive(self, bot_id: str | None, body: bytes, *more: Any, **named: Any) -> None:
        self.heard.append(body)
        await super().receive(bot_id, body, *more, **named)


@pytest.fixture
async def store(open_store: OpenStore) -> SQLiteStore:
    made = await open_store(clock=lambda: AT * SECOND + 3600 * SECOND)
    await outbox.add_bot(made, sinch__app_id=APP, sinch__webhook_secret=SECRET)
    return made


@pytest.fixture
async def doors(store: SQLiteStore) -> AsyncIterator[Doors]:
    Hearing.heard = []
    inbound = Hearing(
        store,
        sinch_webhook.parse,
        sinch_webhook.SignatureCheck(lambda: float(AT)),
        source="webhook:sinch",
        secret="sinch.webhook_secret",
        number="sinch.app_id",
    )
    made = await open_doors(store, receive_sinch=inbound)
    yield made
    await made.client.aclose()


async def post(doors: Doors, given: Any, path: str = PATH, **more: Any) -> httpx.Response:
    """One signed event."""
    body = given if isinstance(given, bytes) else body_of(given)
    return await doors.client.post(path, content=body, headers=headers(signed(body, **more)))


async def events(store: SQLiteStore, identity: str = ADA) -> Sequence[Event]:
    return (await store.histories(SHOP, [identity])).events[identity]


async def kinds(store: SQLiteStore) -> list[Kind]:
    return [event.claim.kind for event in await events(store)]


async def kept(store: SQLiteStore) -> list[str]:
    """The notes on what was stored because it was not understood."""
    return [note for (note,) in await store._fetch("SELECT note FROM webhooks")]


async def sent(store: SQLiteStore, *outcomes: Any) -> OutboxMessage:
    """A utility message to Ada after its hand-over."""
    await put_template(store, None)
    await outbox.consent(store, Kind.OPT_IN, ADA)
    [message] = await outbox.send(store, ADA, message=UTILITY)
    upstream = outbox.TellingUpstream(outcomes)
    await deliver_due(deliverer(store, upstream))
    return await outbox.again(store, message)


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
async def test_a_stop_is_recorded(doors: Doors, store: SQLiteStore, path: str) -> None:
    """R10: the contact's STOP is an opt-out at WhatsApp's time, by Sinch's message id."""
    answer = await post(doors, text("Stop!"), path)
    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    [event] = await events(store)
    assert event.claim.kind is Kind.OPT_OUT_KEYWORD
    assert event.claim.source == "webhook:sinch"
    assert event.claim.context == {"message_id": "01IN"}
    assert event.effective == AT * SECOND + SECOND - 1  # whole seconds count as their last instant


async def test_a_message_opens_a_session_and_is_told_on(doors: Doors, store: SQLiteStore) -> None:
    """R9, SPEC 4: it opens a session, and the business gets it in the legacy shape."""
    await post(doors, text("When do you open?"))
    assert await kinds(store) == [Kind.MESSAGE]
    [callback] = await outbox.owed(store)
    [row] = json.loads(callback.body)["notifications"]
    assert row == {
        "from": ADA,
        "to": SHOP,
        "message_id": "01IN",
        "message": {"type": "text", "body": "When do you open?"},
        "timestamp": "2026-11-23T10:00:00Z",
    }


async def test_without_its_signature_nothing_counts(doors: Doors, store: SQLiteStore) -> None:
    """SPEC 5: missing, wrong, too old, for another body, for a bot that is none: 401, no trace."""
    body = body_of(text("STOP"))
    good = headers(signed(body))
    wrong = [
        (PATH, {}),
        (PATH, {**good, "x-sinch-webhook-signature": "x"}),
        (PATH, {n: v for n, v in good.items() if not n.endswith("nonce")}),
        (PATH, headers(signed(body, secret="other"))),
        (PATH, headers(signed(body + b" "))),
        (PATH, headers(signed(body, at=AT - sinch_webhook.WINDOW - 1))),
        ("/webhooks/sinch/nobody", good),
        ("/webhooks/sinch/bot-without", good),
    ]
    await store.add_bot(Bot("bot-without"), first_token("bot-without"))
    for path, given in wrong:
        answer = await doors.client.post(path, content=body, headers=given)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert (await kinds(store), await kept(store)) == ([], [])


async def test_other_methods(doors: Doors) -> None:
    """Sinch only posts: there is no handshake."""
    answer = await doors.client.get(PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_what_comes_again_with_its_nonce_does_nothing(
    doors: Doors, store: SQLiteStore
) -> None:
    """A replay is answered as the first time and reaches nobody; a new signature does."""
    for _ in range(3):
        assert (await post(doors, text("Hi"))).status_code == 200
    assert len(Hearing.heard) == 1
    assert (await post(doors, text("Hi"), nonce="another")).status_code == 200
    assert len(Hearing.heard) == 2
    assert await kinds(store) == [Kind.MESSAGE]
    assert len(await outbox.owed(store)) == 1


async def test_a_used_nonce_hides_no_other_event(doors: Doors, store: SQLiteStore) -> None:
    """Only the very same request is a replay: a STOP under a nonce seen before counts."""
    await post(doors, text("Hi", "01A"))
    await post(doors, text("STOP", "01B"))
    assert sorted(await kinds(store)) == [Kind.MESSAGE, Kind.OPT_OUT_KEYWORD]


async def test_what_was_not_stored_is_no_replay(
    doors: Doors, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: after a 503 the same request, nonce and all, is taken in."""
    commit = SQLiteStore.commit

    async def down(*_: Any) -> Any:
        raise StoreUnavailable("down")

    monkeypatch.setattr(SQLiteStore, "commit", down)
    assert (await post(doors, text("STOP"))).status_code == 503
    monkeypatch.setattr(SQLiteStore, "commit", commit)
    assert (await post(doors, text("STOP"))).status_code == 200
    assert await kinds(store) == [Kind.OPT_OUT_KEYWORD]


async def test_the_same_event_signed_anew_is_recorded_once(
    doors: Doors, store: SQLiteStore
) -> None:
    """Ids are made of Sinch's own: what another process took in changes nothing again."""
    for given in (text("STOP"), consent("opt_out", "OPT_OUT_SUCCEEDED"), report("READ")):
        for nonce in ("a", "b"):
            await post(doors, given, nonce=nonce)
    assert sorted(await kinds(store)) == [Kind.OPT_OUT, Kind.OPT_OUT_KEYWORD]


@pytest.mark.parametrize("status", ["OPT_OUT_SUCCEEDED", "OPT_OUT_FAILED"])
async def test_an_opt_out_bites(doors: Doors, store: SQLiteStore, status: str) -> None:
    """SPEC 5: Sinch's OPT_OUT is the contact's own opt-out, whether Sinch could note it or not."""
    message = await sent(store, Accepted("01MSG"))
    assert message.state is MessageState.DISPATCHED
    later = {**consent("opt_out", status), "event_time": "2026-11-23T12:00:00Z"}
    await post(doors, later)
    [event] = [e for e in await events(store) if e.claim.kind is Kind.OPT_OUT]
    assert event.claim.from_contact
    assert event.claim.evidence["status"] == status
    [refused] = await outbox.send(store, ADA, message=UTILITY)
    assert refused.state is MessageState.NO_OPT_IN


async def test_an_opt_in_counts_with_evidence(doors: Doors, store: SQLiteStore) -> None:
    """R4: Sinch's OPT_IN comes with what Sinch says of it, so it lifts under reopt_in=evidence."""
    await store.put_settings(SHOP, {"reopt_in": "evidence"})
    early = {**consent("opt_out", "OPT_OUT_SUCCEEDED"), "event_time": "2026-11-23T09:00:00Z"}
    await post(doors, early)
    await post(doors, consent("opt_in", "OPT_IN_SUCCEEDED"))
    assert (await store.read(SHOP, [ADA])).clocks[ADA].opt_in_with_evidence == AT * SECOND
    await put_template(store, Category.UTILITY)
    [message] = await outbox.send(store, ADA, message=UTILITY)
    assert message.state is MessageState.QUEUED


async def test_a_failed_opt_in_is_kept_and_counts_nothing(doors: Doors, store: SQLiteStore) -> None:
    """Only an opt-in that succeeded is one."""
    await post(doors, consent("opt_in", "OPT_IN_FAILED"))
    assert (await kinds(store), await kept(store)) == ([], ["an opt-in that did not succeed"])


async def test_a_marketing_stop_in_a_report(doors: Doors, store: SQLiteStore) -> None:
    """R8: a failure with WhatsApp's 131050 is the contact's marketing stop."""
    await post(doors, report("FAILED", **failure("131050")))
    assert await kinds(store) == [Kind.PROVIDER_MARKETING_STOP]


async def test_a_report_settles_an_unknown_outcome(doors: Doors, store: SQLiteStore) -> None:
    """H8: our id comes back in the report, so what timed out is known to be delivered."""
    message = await sent(store, Unknown("no answer"))
    assert message.stage is Stage.CLAIMED
    await post(doors, report("DELIVERED", message.message_id))
    settled = await outbox.again(store, message)
    assert (settled.stage, settled.state) == (Stage.SETTLED, MessageState.DELIVERED)
    assert settled.upstream_id == "01MSG"


async def test_reports_move_a_message_on(doors: Doors, store: SQLiteStore) -> None:
    """Handed to WhatsApp, delivered, read: each is called back once."""
    message = await sent(store, Accepted("01MSG"))
    await store.put_callbacks(await outbox.owed(store), [])
    for status in ("QUEUED_ON_CHANNEL", "READ", "DELIVERED"):
        await post(doors, report(status, message.message_id), nonce=status)
    states = [json.loads(c.body)["statuses"][0]["state"] for c in await outbox.owed(store)]
    assert sorted(states) == ["read", "sent"]


async def test_a_reports_reason_is_told(doors: Doors, store: SQLiteStore) -> None:
    """The business reads why: Sinch's code and words."""
    message = await sent(store, Accepted("01MSG"))
    reason = failure("", "RECIPIENT_NOT_OPTED_IN")
    await post(doors, report("FAILED", message.message_id, **reason))
    failed = await outbox.again(store, message)
    assert failed.state is MessageState.FAILED
    assert failed.details == "RECIPIENT_NOT_OPTED_IN: No."


async def test_another_apps_event_is_kept_and_counts_nothing(
    doors: Doors, store: SQLiteStore
) -> None:
    """What is about another app is not believed of this bot."""
    await post(doors, {**text("STOP"), "app_id": "02APP"})
    assert (await kinds(store), await kept(store)) == ([], ["about another business number"])


async def test_before_the_app_is_named_stops_count(doors: Doors, store: SQLiteStore) -> None:
    """A bot whose `sinch.app_id` is not set yet loses no opt-out that is signed for it."""
    await store.put_settings(SHOP, {"sinch.app_id": ""})
    await post(doors, text("STOP"))
    assert await kinds(store) == [Kind.OPT_OUT_KEYWORD]


async def test_what_is_not_understood_is_stored(doors: Doors, store: SQLiteStore) -> None:
    """SPEC 5: unknown shapes are stored and answered 200."""
    for body in (b'{"app_id":"01APP","new":1}', b"no JSON"):
        assert (await post(doors, body)).status_code == 200
    assert sorted(await kept(store)) == ["an event of an unknown kind", "the body is no JSON"]


def test_replays_are_forgotten() -> None:
    """After the window, or when too many came since, a request counts as new."""
    now = 0.0
    replays = Replays(window=10, most=2, monotonic=lambda: now)
    a, b, c = (replays.key(part) for part in (b"a", b"b", b"c"))
    replays.add(a)
    assert a in replays
    now = 10.0
    assert a not in replays
    for key in (a, b, c):
        replays.add(key)
    assert [key in replays for key in (a, b, c)] == [False, True, True]


def test_a_key_is_of_all_parts() -> None:
    """Parts cannot be shifted into one another."""
    assert Replays.key(b"ab", b"c") != Replays.key(b"a", b"bc")
