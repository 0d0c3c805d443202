"""A contact whose record is damaged costs no other contact their stop (SPEC 5, R12)."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import InconsistentRecord
from optin.domain.events import Kind
from optin.ports.store import CallbackKind
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import sign
from optin.usecases.replay_webhooks import Replayed, ReplayWebhooks
from optin.usecases.watch import Watch
from tests.conftest import first_token
from tests.usecases.hearing import (
    SECRET,
    SETTINGS,
    bodied,
    body,
    change,
    hear,
    inbound,
    kinds,
    text,
)
from tests.usecases.outbox import ADA, BEN, BOT, Clock, add_bot, consent, opened, owed

OTHER, CARL = "other", "46732001144"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(made, **SETTINGS, forward_url="https://shop.example/relay")
        other = {"meta.app_secret": SECRET, "meta.phone_number_id": "PN2"}
        await made.add_bot(Bot(OTHER, other), first_token(OTHER))
        yield made


async def damage(store: SQLiteStore, tmp_path: Path, who: str, broken: bool = True) -> None:
    """The contact's stored state becomes unreadable, or is as it was."""
    if broken:
        await consent(store, Kind.OPT_IN, who)
    with sqlite3.connect(tmp_path / "t.db") as raw:
        wordings = "{" if broken else ""
        raw.execute("UPDATE identities SET wordings = ? WHERE identity = ?", (wordings, who))


async def relayed(store: SQLiteStore) -> list[bytes]:
    return [each.body for each in await owed(store) if each.kind is CallbackKind.RELAY]


def stops(*people: str) -> list[dict[str, object]]:
    return [text("STOP", f"w.{who}") | {"from": who} for who in people]


async def test_neighbours_are_heard_and_the_provider_sends_again(
    store: SQLiteStore, tmp_path: Path
) -> None:
    """The others' stops are recorded at once; not all is, so the answer is no 200; nothing is
    relayed, the body is kept with a note; once the record is mended, all of it counts, once."""
    await damage(store, tmp_path, ADA)
    content = body(messages=stops(BEN, ADA, CARL))
    for _ in range(2):
        with pytest.raises(InconsistentRecord):
            await hear(store, content)
    for who in (BEN, CARL):
        assert await kinds(store, who) == [Kind.OPT_OUT_KEYWORD]
    [kept] = await store.webhooks(BOT, b"", 9)
    assert (kept.body, kept.note) == (content, "a record of a contact that can not be read")
    assert await relayed(store) == []
    await damage(store, tmp_path, ADA, broken=False)
    await hear(store, content)
    for who in (BEN, ADA, CARL):
        assert (await kinds(store, who)).count(Kind.OPT_OUT_KEYWORD) == 1
    assert await relayed(store) == [content]


async def test_other_bots_of_the_body_are_heard(store: SQLiteStore, tmp_path: Path) -> None:
    """Whichever of them has the damaged record."""
    await damage(store, tmp_path, ADA)
    for number, message in ((1, stops(ADA)), (2, stops(BEN))):
        mixed = bodied(
            change("PN2", messages=[text("STOP", f"w.{number}") | {"from": CARL}]),
            change(messages=message),
            change("PN2", messages=[text("STOP", f"w.{number}b") | {"from": BEN}]),
        )
        if number == 1:
            with pytest.raises(InconsistentRecord):
                await inbound(store).receive(None, mixed, sign(SECRET, mixed))
        else:
            await inbound(store).receive(None, mixed, sign(SECRET, mixed))
        heard = await kinds(store, CARL, BEN, bot_id=OTHER)
        assert heard.count(Kind.OPT_OUT_KEYWORD) == 2 * number
    assert await kinds(store, BEN) == [Kind.OPT_OUT_KEYWORD]


async def test_a_replay_goes_on_behind_it(store: SQLiteStore, tmp_path: Path) -> None:
    """A body that can not be taken in is counted and keeps its note; the next ones are replayed."""
    await damage(store, tmp_path, ADA)
    with pytest.raises(InconsistentRecord):
        await hear(store, body(messages=stops(ADA)))
    await hear(store, body(messages=stops(BEN)))
    again = ReplayWebhooks(store, {"webhook:meta": inbound(store).take_in_again})
    assert await again(BOT, noted=False) == Replayed(2, 1)
    await damage(store, tmp_path, ADA, broken=False)
    assert await again(BOT) == Replayed(1, 0)
    assert Kind.OPT_OUT_KEYWORD in await kinds(store, ADA)


async def test_a_bot_that_can_not_be_watched_is_in_no_others_way(
    store: SQLiteStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard against sudden rises looks at the bots behind it."""
    looked = []
    real = SQLiteStore.opt_outs_since

    async def failing(self: SQLiteStore, bot_id: str, since: int) -> object:
        looked.append(bot_id)
        if bot_id == OTHER:
            raise InconsistentRecord("A stored record is not readable.")
        return await real(self, bot_id, since)

    monkeypatch.setattr(SQLiteStore, "opt_outs_since", failing)
    with caplog.at_level(logging.WARNING):
        assert await Watch(store)() == 0
    assert looked == [OTHER, BOT]
    assert OTHER in caplog.text
