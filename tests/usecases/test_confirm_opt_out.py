"""One confirmation after an opt-out by keyword: once, in time, and nothing else (R7)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optin.domain.events import Kind
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import Stage
from optin.domain.packs.confirmations import TEXTS
from optin.ports.upstream import Accepted, Failed, Retry, Unknown
from optin.stores.sqlite import SQLiteStore
from tests.usecases.hearing import HIDDEN, NOW, SECOND, SETTINGS, body, hear, text, waiting
from tests.usecases.outbox import (
    ADA,
    BEN,
    BOT,
    UTILITY,
    Clock,
    TellingUpstream,
    add_bot,
    consent,
    deliver_due,
    deliverer,
    opened,
    put_template,
    send,
)

MINUTE = 60 * SECOND
SAID = "You are unsubscribed."


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made, **SETTINGS, confirm_opt_out=SAID)
        await consent(made, Kind.OPT_IN, ADA)
        clock.now += SECOND
        yield made


async def stop(store: SQLiteStore, said: str = "STOP", at: int = NOW + 1, **more: Any) -> None:
    await hear(store, body(messages=[text(said, f"wamid.{said}.{at}", at, **more)]))


async def test_it_goes_out_once_though_opted_out(store: SQLiteStore) -> None:
    """The one message to who has just opted out; the decision is recorded as it was."""
    await stop(store)
    [message] = await waiting(store)
    assert (message.identity, message.body["text"]) == (ADA, SAID)
    assert len(message.confirms) == 32
    upstream = TellingUpstream()
    for _ in range(3):
        await deliver_due(deliverer(store, upstream))
    assert upstream.sent == [message.message_id]
    [after] = await waiting(store)
    assert (after.state, after.reason, after.passed) == (MessageState.DISPATCHED, "opted_out", True)
    assert [m.state for m in await send(store, ADA)] == [MessageState.NO_OPT_IN]


@pytest.mark.parametrize(
    ("setting", "said"), [("", "STOP"), (SAID, "hello"), (SAID, "stop promotions"), (SAID, "help")]
)
async def test_no_other_message_is_confirmed(store: SQLiteStore, setting: str, said: str) -> None:
    """Only if the bot wants it, and only an opt-out."""
    await store.put_settings(BOT, {"confirm_opt_out": setting})
    await stop(store, said)
    assert await waiting(store) == []


@pytest.mark.parametrize(
    ("languages", "said", "told"),
    [
        ("en,es,sv", "baja", "Adiós."),
        ("en,es,sv", "Por favor, no más mensajes", "Adiós."),
        ("en,es,sv", "avregistrera", TEXTS["sv"]),
        ("en,es,sv", "unsubscribe", TEXTS["en"]),
        ("sv,en,es", "STOP", TEXTS["sv"]),
        ("es,en,sv", "STOP", "Adiós."),
        ("sv,en", "enough already", TEXTS["sv"]),
    ],
)
async def test_it_speaks_the_contacts_language(
    store: SQLiteStore, languages: str, said: str, told: str
) -> None:
    """R7: that of the pack which heard the word; a word of several is of the bot's first; one of
    the bot's own is of none, so the bot's first language answers."""
    wanted = {"languages": languages, "confirm_opt_out": "es=Adiós. | yes"}
    await store.put_settings(BOT, wanted | {"stop_words": "enough already"})
    await stop(store, said)
    [message] = await waiting(store)
    assert message.body["text"] == told


async def test_a_language_without_a_text_is_not_answered(store: SQLiteStore) -> None:
    """Texts by language and none for all others: silence rather than a foreign language."""
    wanted = {"languages": "en,es,sv", "confirm_opt_out": "es=Adiós."}
    await store.put_settings(BOT, wanted)
    await stop(store, "avregistrera")
    assert await waiting(store) == []


async def test_one_for_all_identities_of_a_message(store: SQLiteStore) -> None:
    """A stop by phone and BSUID is two events and one message to the phone, which passes."""
    await stop(store, from_user_id=HIDDEN)
    [message] = await waiting(store)
    upstream = TellingUpstream()
    await deliver_due(deliverer(store, upstream))
    assert (message.identity, upstream.sent) == (ADA, [message.message_id])


async def test_who_says_it_again_is_not_told_again(store: SQLiteStore, clock: Clock) -> None:
    """Two programs that answer each other fall silent; after a new opt-in it is told again."""
    for n in range(3):
        await stop(store, at=NOW + 1 + n)
        clock.now += SECOND
    assert len(await waiting(store)) == 1
    await consent(store, Kind.OPT_IN, ADA)
    clock.now += 10 * SECOND
    await stop(store, at=NOW + 12)
    assert len(await waiting(store)) == 2


async def test_the_same_body_again_confirms_nothing(store: SQLiteStore) -> None:
    """SPEC 5: duplicates change nothing."""
    for _ in range(3):
        await stop(store)
    assert len(await waiting(store)) == 1


@pytest.mark.parametrize("between", ["hello?", "START"])
async def test_one_message_is_confirmed_once(
    store: SQLiteStore, clock: Clock, between: str
) -> None:
    """R7: the same stop again, now with a further identity, after a message in between."""
    clock.now += 5 * SECOND
    await stop(store)
    await hear(store, body(messages=[text(between, "wamid.B", NOW + 2)]))
    await stop(store, from_user_id=HIDDEN)
    assert len(await waiting(store)) == 1


@pytest.mark.parametrize(
    ("late", "sent"), [(5 * MINUTE - 2, True), (5 * MINUTE - 1, False), (5 * MINUTE, False)]
)
async def test_only_within_five_minutes(
    store: SQLiteStore, clock: Clock, late: int, sent: bool
) -> None:
    """From the opt-out's effective time, to the microsecond."""
    await stop(store)  # at second 1, so in effect from its last instant or when recorded
    [message] = await waiting(store)
    effective = message.expires - 5 * MINUTE
    clock.now = effective + late + 1
    upstream = TellingUpstream()
    await deliver_due(deliverer(store, upstream))
    assert bool(upstream.sent) is sent
    assert (await waiting(store))[0].stage is Stage.SETTLED


async def test_a_stop_that_comes_late_is_not_confirmed(store: SQLiteStore) -> None:
    """A webhook of hours ago is an opt-out, and nobody waits for its confirmation any more."""
    await consent(store, Kind.MESSAGE, ADA)
    await stop(store, at=NOW - 3600)
    assert await waiting(store) == []


@pytest.mark.parametrize("kind", [Kind.OPT_IN, Kind.OPT_OUT, Kind.OPT_OUT_KEYWORD, Kind.START_WORD])
async def test_only_while_it_is_the_newest_word(
    store: SQLiteStore, clock: Clock, kind: Kind
) -> None:
    """What changed meanwhile makes it untrue, or another's: it never leaves."""
    await stop(store)
    clock.now += SECOND
    await consent(store, kind, ADA)
    upstream = TellingUpstream()
    await deliver_due(deliverer(store, upstream))
    assert upstream.sent == []
    assert (await waiting(store))[0].stage is Stage.SETTLED


async def test_a_certain_failure_is_tried_again_in_time(store: SQLiteStore, clock: Clock) -> None:
    """H8: what was certainly not taken may go again, within the five minutes."""
    await stop(store)
    upstream = TellingUpstream([Retry("busy"), Accepted("wamid.1")])
    deliver = deliverer(store, upstream)
    for _ in range(4):
        await deliver_due(deliver)
        clock.now += MINUTE
    assert len(upstream.sent) == 2
    assert (await waiting(store))[0].state is MessageState.DISPATCHED


async def test_an_unknown_outcome_is_the_end(store: SQLiteStore, clock: Clock) -> None:
    """R7: never again when its outcome is unknown, whatever is swept or leased."""
    await stop(store)
    upstream = TellingUpstream([Unknown("timed out")])
    deliver = deliverer(store, upstream)
    for _ in range(4):
        await deliver_due(deliver)
        await deliver.sweep()
        clock.now += MINUTE
    clock.now += 25 * 60 * MINUTE
    await deliver.sweep()
    await deliver_due(deliver)
    assert len(upstream.sent) == 1


async def test_a_confirmation_opens_nothing_for_others(store: SQLiteStore) -> None:
    """A message that waited when the contact opted out is refused, before and after it."""
    [waits] = await send(store, ADA, message=await template(store))
    await stop(store)
    upstream = TellingUpstream()
    await deliver_due(deliverer(store, upstream))
    assert waits.message_id not in upstream.sent
    assert len(upstream.sent) == 1


async def template(store: SQLiteStore) -> Any:
    await put_template(store, Category.UTILITY)
    return UTILITY


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["stop", "stop again", "hello", "start", "opt in", "opt out", "send", "deliver", "wait"]
        ),
        st.sampled_from([ADA, BEN]),
        st.sampled_from(
            [Accepted("wamid.X"), Retry("busy"), Unknown("lost"), Failed("no"), Retry("x", 1)]
        ),
        st.sampled_from([1, 20, 100, 299, 301]),
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=60)
@given(STEPS)
def test_no_sequence_hands_one_over_twice(steps: list[Any]) -> None:
    """R7: whatever happens in whatever order: for one opt-out at most one confirmation is taken or
    may have been, within five minutes, and no other message passes an opt-out."""
    asyncio.run(_play(steps))


async def _play(steps: list[Any]) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory) / "t.db", clock) as store:
            await add_bot(store, **SETTINGS, confirm_opt_out=SAID)
            outcomes: list[Any] = []
            upstream = TellingUpstream(iter(lambda: outcomes.pop(0), None))
            taken: list[tuple[str, int, Any]] = []
            deliver = deliverer(store, upstream)
            for number, (step, who, outcome, seconds) in enumerate(steps):
                now = clock.now // SECOND
                match step:
                    case "stop" | "stop again" | "hello" | "start":
                        word = step.removesuffix(" again")
                        said = text(word, f"w.{word}.{now}", now) | {"from": who}
                        await hear(store, body(messages=[said]))
                    case "opt in" | "opt out":
                        kind = Kind.OPT_IN if step == "opt in" else Kind.OPT_OUT
                        await consent(store, kind, who)
                    case "send":
                        await send(store, who)
                    case "wait":
                        clock.now += seconds * SECOND
                    case "deliver":
                        before = len(upstream.sent)
                        outcomes[:] = [outcome] * 20
                        await deliver_due(deliver)
                        taken += [(each, clock.now, outcome) for each in upstream.sent[before:]]
                clock.now += SECOND // 2 + number
            await _judge(store, taken)


async def _judge(store: SQLiteStore, taken: list[tuple[str, int, Any]]) -> None:
    messages = {message.message_id: message for message in await waiting(store)}
    tried: dict[str, list[Any]] = {}
    for message_id, at, outcome in taken:
        message = messages[message_id]
        if message.confirms:
            events = (await store.histories(BOT, [message.identity])).events[message.identity]
            [stop] = [e for e in events if e.claim.event_id.hex() == message.confirms]
            assert stop.effective is not None
            assert at < stop.effective + 5 * MINUTE
            assert stop.claim.kind is Kind.OPT_OUT_KEYWORD
            tried.setdefault(message.confirms, []).append(outcome)
        else:
            assert message.reason is None or not message.passed
    # After anything but a certain "not now" there is no further try.
    for outcomes in tried.values():
        assert all(isinstance(each, Retry) for each in outcomes[:-1])
    passed = [m for m in messages.values() if m.passed and m.reason == "opted_out"]
    assert all(message.confirms for message in passed)
