"""A receiver of relays sees its own bots' contacts, nobody else's, and misses none (SPEC 4)."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.events import Kind
from optin.ports.store import Callback
from optin.upstreams.meta_parts import cut
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.receive_inbound.directory import OLDEST, BotList
from tests.conftest import OpenStore, first_token
from tests.usecases.hearing import bodied, change, kinds, text
from tests.web.doors import Doors, open_doors

SHARED, OWN = "secret of the app", "another secret"
ADA = "46732001122"
#: Bot -> its number, its account, its app's secret.
BOTS = {
    "one": ("PN1", "WABA1", SHARED),
    "two": ("PN2", "WABA2", SHARED),
    "three": ("PN3", "WABA3", OWN),
}
ALL, ONE, TWO = "/webhooks/meta", "/webhooks/meta/one", "/webhooks/meta/two"
A, B, C = "https://shop.example/relay", "https://clinic.example/relay", "https://c.example/relay"


@pytest.fixture
async def doors(open_store: OpenStore) -> AsyncIterator[Doors]:
    store = await open_store()
    for bot_id, (number, account, secret) in BOTS.items():
        settings = {"meta.phone_number_id": number, "meta.waba_id": account}
        await store.add_bot(
            Bot(bot_id, settings | {"meta.app_secret": secret}), first_token(bot_id)
        )
    # A clock that runs fast, so that no test waits for settings of a second ago.
    bots = BotList(itertools.count(0.0, OLDEST).__next__)
    inbound = ReceiveInbound(store, parse, valid_signature, bots=bots, cut=cut)
    made = await open_doors(store, receive_inbound=inbound)
    yield made
    await made.client.aclose()


async def post(doors: Doors, path: str, content: bytes) -> None:
    headers = [
        ("X-Hub-Signature-256", sign(SHARED, content)),
        ("X-Hub-Signature", "sha1=of the whole"),
        ("Content-Type", "application/json"),
    ]
    answer = await doors.call("POST", path, content=content, token="", headers=headers)
    assert answer.status_code == 200


async def forward(doors: Doors, **receivers: str) -> None:
    for bot_id, url in receivers.items():
        await doors.store.put_settings(bot_id, {"forward_url": url})


async def relays(doors: Doors) -> list[Callback]:
    """The relays that are owed since the last call."""
    _, owed = await doors.store.lease_callbacks("t", 10**12, 99)
    return sorted(owed, key=lambda each: each.bot_id)


def said(number: str, words: str = "STOP") -> dict[str, Any]:
    return change(number, messages=[text(words, f"w.{number}.{words}") | {"from": ADA}])


def seen(relay: Callback) -> list[dict[str, Any]]:
    """The changes that the receiver sees."""
    return [c for entry in json.loads(relay.body)["entry"] for c in entry["changes"]]


MIXED = bodied(said("PN1"), said("PN2"), said("PN1", "hello"))
ONES, TWOS = [said("PN1"), said("PN1", "hello")], [said("PN2")]


@pytest.mark.parametrize("path", [ALL, ONE, TWO])
@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ({}, {}),
        ({"one": A}, {A: ONES}),
        ({"two": B}, {B: TWOS}),
        ({"one": A, "two": B}, {A: ONES, B: TWOS}),
        ({"one": A, "two": B, "three": A}, {A: ONES, B: TWOS}),
        ({"two": B, "three": A}, {B: TWOS}),
    ],
    ids=["none", "one", "two", "both", "three too", "two and three"],
)
async def test_a_mixed_body_is_split(
    doors: Doors, path: str, urls: dict[str, str], expected: dict[str, Any]
) -> None:
    """Each receiver gets a body of the same shape with its own bots' changes, in their order,
    signed anew, and no signature of the whole; every stop counts all the same."""
    await forward(doors, **urls)
    await post(doors, path, MIXED)
    owed = await relays(doors)
    assert {relay.url: seen(relay) for relay in owed} == expected
    assert len(owed) == len(expected)
    for relay in owed:
        assert relay.headers == {
            "content-type": "application/json",
            "x-hub-signature-256": sign(SHARED, relay.body),
        }
        entry = json.loads(relay.body)["entry"]
        assert [each["id"] for each in entry] == ["WABA1"]
        assert parse(relay.body)
    for bot_id in ("one", "two"):
        assert Kind.OPT_OUT_KEYWORD in await kinds(doors.store, ADA, bot_id=bot_id)


@pytest.mark.parametrize("path", [ALL, ONE, TWO])
@pytest.mark.parametrize("content", [MIXED, bodied(said("PN1")), bodied(said("PN2"))])
async def test_one_receiver_gets_it_once_as_it_came(
    doors: Doors, path: str, content: bytes
) -> None:
    """Bots with one and the same `forward_url`: byte for byte, with all headers that sign it."""
    await forward(doors, one=A, two=A, three=C)
    await post(doors, path, content)
    [owed] = await relays(doors)
    assert (owed.url, owed.body) == (A, content)
    assert owed.headers == {
        "content-type": "application/json",
        "x-hub-signature": "sha1=of the whole",
        "x-hub-signature-256": sign(SHARED, content),
    }


@pytest.mark.parametrize("path", [ALL, ONE, TWO])
async def test_a_body_about_one_bot_is_its_receivers(doors: Doors, path: str) -> None:
    """Whole and unchanged, whichever address it came to."""
    await forward(doors, one=A, two=B)
    for number, url in (("PN1", A), ("PN2", B)):
        content = bodied(said(number), said(number, "hi"))
        await post(doors, path, content)
        assert [(r.url, r.body) for r in await relays(doors)] == [(url, content)]


NOBODYS = [
    b'{"entry":[]}',
    b"no json",
    bodied(said("PN9")),
    bodied(said("PN3")),
    bodied({"field": "account_update", "value": {}}, account="WABA9"),
    b'{"entry":[{"id":"WABA1","messaging":[{"text":"hi"}]}]}',
    b'{"entry":[7]}',
]


@pytest.mark.parametrize("path", [ALL, ONE])
@pytest.mark.parametrize("content", NOBODYS)
async def test_what_is_about_no_bot_is_kept(doors: Doors, path: str, content: bytes) -> None:
    """It may be about anybody's contacts: with several receivers in the app it goes to none, also
    if one of the bots has no receiver; with one it is theirs, as it came."""
    for urls in ({"one": A, "two": B}, {"one": "", "two": B}, {"one": A, "two": ""}):
        await forward(doors, **urls)
        await post(doors, path, content)
        assert await relays(doors) == []
    held = [await doors.store.webhooks(bot_id, b"", 9) for bot_id in BOTS]
    assert content in [each.body for each in held[0]]
    assert held[1:] == [[], []]
    await forward(doors, one=A, two=A)
    await post(doors, path, content)
    assert [(r.url, r.body) for r in await relays(doors)] == [(A, content)]


async def test_nobodys_part_is_left_out(doors: Doors) -> None:
    """An unknown number beside one of ours: the receiver sees its own only."""
    await forward(doors, one=A, two=B)
    await post(doors, ALL, bodied(said("PN9"), said("PN1")))
    [relay] = await relays(doors)
    assert (relay.url, seen(relay)) == (A, [said("PN1")])


async def test_news_of_an_account_goes_to_its_bots(doors: Doors) -> None:
    """A change that names no number is about the account of its entry."""
    await forward(doors, one=A, two=B)
    content = bodied({"field": "account_update", "value": {"event": "X"}}, account="WABA2")
    await post(doors, ALL, content)
    assert [(r.url, r.body) for r in await relays(doors)] == [(B, content)]


async def test_bots_with_one_number_each_get_all_of_it(doors: Doors) -> None:
    """Both are meant, so nothing is left out for either."""
    await forward(doors, one=A, two=B)
    await doors.store.put_settings("two", {"meta.phone_number_id": "PN1"})
    content = bodied(said("PN1"))
    await post(doors, ALL, content)
    assert [(r.url, r.body) for r in await relays(doors)] == [(A, content), (B, content)]


async def test_a_change_that_says_nothing_reaches_its_receiver(doors: Doors) -> None:
    """An echo is no item of ours, and yet the receiver's."""
    await forward(doors, one=A, two=B)
    echo = change("PN2", message_echoes=[{"id": "wamid.E", "to": ADA}])
    await post(doors, ALL, bodied(said("PN1"), echo))
    assert {r.url: seen(r) for r in await relays(doors)} == {A: [said("PN1")], B: [echo]}


async def test_a_large_body_is_split_too(doors: Doors) -> None:
    """Beside the event loop, with the same result."""
    await forward(doors, one=A, two=B)
    many = [said("PN1", f"hello {n} " + "x" * 200) for n in range(400)]
    await post(doors, ALL, bodied(*many, said("PN2")))
    assert {r.url: seen(r) for r in await relays(doors)} == {A: many, B: TWOS}


async def test_a_new_receiver_counts_at_once(doors: Doors) -> None:
    """At a bot's own address its settings are read anew for each webhook."""
    doors.services.receive_inbound.bots.monotonic = lambda: 0.0
    await post(doors, ONE, bodied(said("PN1")))
    await forward(doors, one=A)
    await post(doors, ONE, MIXED)
    assert {r.url: seen(r) for r in await relays(doors)} == {A: ONES}


async def test_a_mixed_body_is_kept_once(doors: Doors) -> None:
    """Relayed to two, kept by one: nobody keeps it only since it was relayed."""
    await forward(doors, one=A, two=B)
    await post(doors, ALL, MIXED)
    held = [await doors.store.webhooks(bot_id, b"", 9) for bot_id in BOTS]
    assert [len(each) for each in held] == [1, 0, 0]
