"""Every shape of Sinch's webhook gives the events it must, in any order, each once (SPEC 5)."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optin.domain.events import SECOND, Kind
from optin.domain.links import reach, reading
from optin.stores.sqlite import SQLiteStore
from optin.upstreams import sinch_webhook
from optin.usecases.receive_inbound import ReceiveInbound
from tests.upstreams.sinch_events import (
    ADA,
    APP,
    AT,
    SECRET,
    body_of,
    consent,
    event,
    failure,
    inbound,
    report,
    signed,
)
from tests.usecases.hearing import kinds, reviews
from tests.usecases.outbox import BOT, Clock, add_bot, opened

HIDDEN, NEW = "SE.1349120865530274", "46709998877"
EVERYBODY = (ADA, HIDDEN, NEW)
_M, _STOP, _LINK = Kind.MESSAGE, Kind.OPT_OUT_KEYWORD, Kind.LINKED


class Shape(NamedTuple):
    """One event. `gives`: identity -> kinds, sorted. `noted`: kept since not understood."""

    name: str
    given: Any
    gives: dict[str, list[Kind]]
    noted: int = 0


def said(name: str, content: dict[str, Any], *given: Kind, **more: Any) -> list[Shape]:
    """A message by the number, and the same by somebody whose number is withheld."""
    hidden = {"channel": "WHATSAPP", "identity": HIDDEN, "app_id": ""}
    other = inbound(content, f"{name}.h", channel_identity=hidden, **more)
    return [
        Shape(name, inbound(content, name, **more), {ADA: [*given]} if given else {}),
        Shape(f"{name}, hidden", other, {HIDDEN: [*given]} if given else {}),
    ]


def raw(**told: Any) -> dict[str, Any]:
    return {"fallback_message": {"raw_message": json.dumps(told)}}


_EDIT = {"original_message_id": "w.0", "message": {"type": "text", "text": {"body": "STOP"}}}
_NUMBER = {"type": "user_changed_number", "wa_id": NEW, "body": "STOP"}
_WHERE = {"coordinates": {"latitude": 1.0, "longitude": 2.0}, "title": "STOP"}

SHAPES: list[Shape] = [
    *said("text", {"text_message": {"text": "Hello"}}, _M),
    *said("stop", {"text_message": {"text": "Stop, please"}}, _STOP),
    *said("marketing", {"text_message": {"text": "stop ads"}}, Kind.MARKETING_STOP, _M),
    *said("start", {"text_message": {"text": "START"}}, _M, Kind.START_WORD),
    *said(
        "choice", {"choice_response_message": {"message_id": "1", "postback_data": "STOP"}}, _STOP
    ),
    *said("media", {"media_message": {"url": "https://x.example/a.jpg"}}, _M),
    *said(
        "caption", {"media_message": {"url": "https://x.example/a.jpg", "caption": "stop"}}, _STOP
    ),
    *said("location", {"location_message": _WHERE}, _M),
    *said("order", {"product_response_message": {"products": [], "title": "Mine"}}, _M),
    *said("form", {"channel_specific_message": {"message_type": "NFM_REPLY", "message": {}}}, _M),
    *said("kind of tomorrow", {"hologram_message": {"text": "STOP"}}, _M),
    *said("reply", {"text_message": {"text": "Yes"}}, _M, reply_to={"message_id": "1"}),
    *said("edit to stop", raw(type="edit", edit=_EDIT), _STOP),
    *said("taken back", raw(type="revoke", revoke={"original_message_id": "w.0"})),
    *said("system", raw(type="system", system={"type": "customer_identity_changed"})),
    *said("group", raw(type="text", text={"body": "STOP"}, group_id="G")),
    Shape(
        "passed on, both",
        inbound(raw(type="edit", edit=_EDIT, from_user_id=HIDDEN, **{"from": ADA}), "both"),
        {ADA: sorted([_LINK, _STOP]), HIDDEN: sorted([_LINK, _STOP])},
    ),
    Shape("ours", inbound({}, "ours", direction="TO_CONTACT"), {}),
    Shape(
        "put in by the business",
        inbound({"text_message": {"text": "STOP"}}, "in", injected=True),
        {},
        1,
    ),
    Shape("opt-out", consent("opt_out", "OPT_OUT_SUCCEEDED"), {ADA: [Kind.OPT_OUT]}),
    Shape(
        "failed opt-out",
        consent("opt_out", "OPT_OUT_FAILED", request_id="R2"),
        {ADA: [Kind.OPT_OUT]},
    ),
    Shape("opt-in", consent("opt_in", "OPT_IN_SUCCEEDED", request_id="R3"), {ADA: [Kind.OPT_IN]}),
    Shape("failed opt-in", consent("opt_in", "OPT_IN_FAILED", request_id="R4"), {}, 1),
    *(Shape(word, report(word), {}) for word in ("QUEUED_ON_CHANNEL", "DELIVERED", "READ")),
    Shape("131050", report("FAILED", **failure("131050")), {ADA: [Kind.PROVIDER_MARKETING_STOP]}),
    *(
        Shape(f"error {code}", report("FAILED", **failure(code)), {})
        for code in ("131047", "131026")
    ),
    Shape("contact news", event(contact_update_notification={"contact": {"id": "1"}}), {}),
    Shape("event of tomorrow", event(hologram_notification={"identity": ADA}), {}, 1),
    Shape(
        "changed number",
        inbound(raw(type="system", system=_NUMBER, **{"from": ADA}), "moved"),
        {ADA: [Kind.REPLACED], NEW: [Kind.REPLACES]},
    ),
]
NAMES = [shape.name for shape in SHAPES]


async def hear(store: SQLiteStore, given: Any) -> None:
    receiver = ReceiveInbound(
        store,
        sinch_webhook.parse,
        sinch_webhook.SignatureCheck(lambda: float(AT)),
        source="webhook:sinch",
        secret="sinch.webhook_secret",
        number="sinch.app_id",
    )
    body = body_of(given)
    await receiver.receive(BOT, body, signed(body))


class Ticking(Clock):
    """No two commits at one instant."""

    def __call__(self) -> int:
        self.now += 1
        return self.now


async def prepared(store: SQLiteStore) -> None:
    await add_bot(store, sinch__app_id=APP, sinch__webhook_secret=SECRET)


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_a_shape(tmp_path: Path, shape: Shape) -> None:
    """Once and again: the same events, each once, and nothing else."""
    async with opened(tmp_path / "t.db", Ticking((AT + 3600) * SECOND)) as store:
        await prepared(store)
        for _ in range(2):
            await hear(store, shape.given)
            found = {who: await kinds(store, who) for who in EVERYBODY}
            assert {who: some for who, some in found.items() if some} == {
                who: sorted(some) for who, some in shape.gives.items()
            }
            assert len(await store.webhooks(BOT, b"", 9, noted=True)) == shape.noted


def test_each_shape_has_a_name() -> None:
    """And there are as many as the documented ones with their variants."""
    assert len(NAMES) == len(set(NAMES)) > 40


@settings(max_examples=40)
@given(st.lists(st.sampled_from(SHAPES), min_size=2, max_size=8), st.data())
def test_any_order_gives_the_same(shapes: list[Shape], data: st.DataObject) -> None:
    """R2, R11: shuffled and doubled, everybody's state and reach is the same."""
    shuffled = data.draw(st.permutations(shapes + shapes[: len(shapes) // 2]))
    assert asyncio.run(_after(shapes)) == asyncio.run(_after(shuffled))


async def _after(shapes: Sequence[Shape]) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory) / "t.db", Ticking((AT + 3600) * SECOND)) as store:
            await prepared(store)
            for shape in shapes:
                await hear(store, shape.given)
            states = (await store.states(BOT, EVERYBODY)).states
            seen = [
                (who, reading(who, states.__getitem__), reach(who, states.__getitem__))
                for who in EVERYBODY
            ]
            return seen, {review.text for review in await reviews(store)}
