"""Sinch's consent lists, read page by page from a strict simulated API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.ports.consent_lists import ListEntry, Listing, ListsNotRead
from optin.upstreams.sinch_consents import SinchConsents
from tests.upstreams import conversation_api
from tests.upstreams.cloud_api import Behaviour, answering, breaking_off, saying
from tests.upstreams.conversation_api import EXPIRED, ConversationApi, sinch_error
from tests.upstreams.sinch_events import ADA, AT

ENTRY = ListEntry(ADA, "OPT_OUT_ALL", False)


@pytest.fixture
async def api() -> AsyncIterator[ConversationApi]:
    async with conversation_api.conversation_api() as api:
        yield api


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
async def consents(slept: list[float]) -> AsyncIterator[SinchConsents]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    consents = SinchConsents(lambda: float(AT), sleep)
    yield consents
    await consents.close()


def bot(api: ConversationApi, **changes: str) -> Bot:
    changed = {f"sinch.{key}": value for key, value in changes.items()}
    return Bot("shop", api.settings | changed)


def record(at: str, **more: str) -> dict[str, Any]:
    """An audit record of Ada's on the list of all."""
    told = {"list_type": "OPT_OUT_ALL", "operation": "INSERT", "origin": "MO"}
    return {"app_id": "01APP", "project_id": "p-1", **told, **more, "datetime": at}


async def test_every_page_of_every_list(consents: SinchConsents, api: ConversationApi) -> None:
    """All identities of all three lists, in pages of fifty; numbers without their plus."""
    many = [f"+4670{n:07}" for n in range(120)]
    api.consents = {
        "OPT_OUT_ALL": many,
        "OPT_OUT_NOTIFICATION": [],
        "OPT_OUT_MARKETING": [ADA, "SE.1349120865530274", ADA],
    }
    entries = await consents.entries(bot(api))
    assert entries == [
        *(ListEntry(number[1:], "OPT_OUT_ALL", False) for number in many),
        ListEntry(ADA, "OPT_OUT_MARKETING", True),
        ListEntry("SE.1349120865530274", "OPT_OUT_MARKETING", True),
    ]
    assert [path.rpartition("/")[2] for path in api.read] == [
        "OPT_OUT_ALL?page_size=50",
        "OPT_OUT_ALL?page_size=50&page_token=50",
        "OPT_OUT_ALL?page_size=50&page_token=100",
        "OPT_OUT_NOTIFICATION?page_size=50",
        "OPT_OUT_MARKETING?page_size=50",
    ]
    assert api.asked_for_tokens == 1


async def test_entries_that_name_nobody(consents: SinchConsents, api: ConversationApi) -> None:
    """They come as such, each of them, and hide nobody else."""
    api.consents = {name: ["", ADA, "x" * 201] for name in ("OPT_OUT_ALL",)}
    api.consents |= {"OPT_OUT_NOTIFICATION": [], "OPT_OUT_MARKETING": []}
    nobody = ListEntry("", "OPT_OUT_ALL", False)
    assert await consents.entries(bot(api)) == [ENTRY, nobody, nobody]


async def test_numbers_in_other_spellings(consents: SinchConsents, api: ConversationApi) -> None:
    """H3: the number that messages go to is meant; Sinch is asked for what it calls it."""
    odd = ["+46 70 174 06 05", "0046732001122", "0701740605", ADA]
    api.consents = {"OPT_OUT_ALL": odd, "OPT_OUT_NOTIFICATION": [], "OPT_OUT_MARKETING": []}
    entries = await consents.entries(bot(api))
    assert [(e.identity, e.known_as) for e in entries] == [
        (ADA, odd[0]),
        ("46732001122", odd[1]),
        (odd[2], ""),
    ]
    api.audits = {odd[0]: [record("2026-11-23T10:00:00Z")]}
    assert (await consents.listing(bot(api), entries[0])).at == AT * SECOND


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], Listing(None)),
        ([record("2026-11-23T10:00:00Z")], Listing(AT * SECOND, SECOND, "MO")),
        (
            [
                record("2026-11-23T09:00:00Z"),
                record("2026-11-23T10:00:00.5Z", operation="UPDATE", origin="BATCH"),
                record("2026-11-23T08:00:00Z"),
                record("2026-11-23T11:00:00Z", operation="DELETE"),
                record("2026-11-23T11:00:00Z", list_type="OPT_OUT_MARKETING"),
                record("today"),
            ],
            Listing(AT * SECOND + 500_000, 1_000, "BATCH"),
        ),
    ],
)
async def test_since_when(
    consents: SinchConsents, api: ConversationApi, records: list[Any], expected: Listing
) -> None:
    """The newest record that put the identity on this list; None if there is none."""
    api.audits = {ADA: records}
    assert await consents.listing(bot(api), ENTRY) == expected


async def test_identities_are_no_part_of_the_path(
    consents: SinchConsents, api: ConversationApi
) -> None:
    """Whatever the provider calls an identity, it is asked about and nothing else."""
    odd = "../../x?y=1&z#%2F"
    api.audits = {odd: [record("2026-11-23T10:00:00Z")]}
    entry = ListEntry(odd, "OPT_OUT_ALL", False)
    assert (await consents.listing(bot(api), entry)).at == AT * SECOND


@pytest.mark.parametrize("key", ["project_id", "app_id", "key_id", "key_secret"])
async def test_without_its_settings(
    consents: SinchConsents, api: ConversationApi, key: str
) -> None:
    """A missing setting is named, and nobody is asked."""
    with pytest.raises(ListsNotRead, match=f"setting sinch.{key} is missing"):
        await consents.entries(bot(api, **{key: ""}))
    assert api.asked_for_tokens == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(sinch_error(404, "NOT_FOUND"), 404),
        answering(sinch_error(403, "PERMISSION_DENIED"), 403),
        answering(sinch_error(500, "INTERNAL"), 500),
        saying("<h1>Oops</h1>", 200),
        answering([]),
        answering({"identities": {}}),
        answering({"identities": ["46701740605"]}),
        answering({"identities": [], "next_page_token": "again"}),
        saying("", 302),
        breaking_off,
        EXPIRED,
    ],
)
async def test_half_a_list_is_none(
    consents: SinchConsents, api: ConversationApi, behaviour: Behaviour
) -> None:
    """What cannot be read to its end is no list: people would seem to be missing from it."""
    api.behaviour = behaviour
    with pytest.raises(ListsNotRead):
        await consents.entries(bot(api))


async def test_pages_that_go_round_do_not_end(
    consents: SinchConsents, api: ConversationApi
) -> None:
    """A page that was read before is told as no end, however long the round."""

    async def round_and_round(request: web.Request) -> web.StreamResponse:
        place = int(request.query.get("page_token", 0))
        return web.json_response({"identities": [], "next_page_token": str((place + 1) % 3)})

    api.behaviour = round_and_round
    with pytest.raises(ListsNotRead, match="the pages of OPT_OUT_ALL do not end"):
        await asyncio.wait_for(consents.entries(bot(api)), 5)


async def test_a_wrong_key_is_told(consents: SinchConsents, api: ConversationApi) -> None:
    """A refused access key is named as such, without showing it."""
    with pytest.raises(ListsNotRead, match="the access key is refused"):
        await consents.entries(bot(api, key_secret="wrong"))


async def test_a_busy_api_is_waited_for(
    consents: SinchConsents, api: ConversationApi, slept: list[float]
) -> None:
    """429 and 5xx pass: as long as Sinch asks, at most a minute, else ever longer; five tries."""
    answers = [
        answering(sinch_error(429, "RESOURCE_EXHAUSTED"), 429, Retry_After="7"),
        answering(sinch_error(429, "RESOURCE_EXHAUSTED"), 429, Retry_After="3600"),
        saying("", 503),
    ]

    async def in_turn(request: web.Request) -> web.StreamResponse:
        if not answers:
            api.behaviour = None
            return await api.consent_list(request)
        return await answers.pop(0)(request)

    api.consents = {"OPT_OUT_ALL": [ADA]}
    api.behaviour = in_turn
    assert await consents.entries(bot(api)) == [ENTRY]
    assert slept == [7.0, 60.0, 4.0]
    api.behaviour = saying("", 503)
    with pytest.raises(ListsNotRead, match="503"):
        await consents.entries(bot(api))
    assert slept[3:] == [1.0, 2.0, 4.0, 8.0]


async def test_an_old_token_is_replaced(consents: SinchConsents, api: ConversationApi) -> None:
    """A token that is refused is replaced once."""
    await consents.entries(bot(api))
    api.good_tokens.clear()
    assert await consents.entries(bot(api)) == []
    assert api.asked_for_tokens == 2
