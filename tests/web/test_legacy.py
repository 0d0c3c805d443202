"""The Sinch-compatible face: opt-in, opt-out, blacklist (H1 to H3, H6, H7)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from optin.domain.events import Kind
from optin.web.legacy import PREFIX
from tests.web.doors import ANNA, BERTIL, BOT, Doors

EMPTY_LIST = "Field [numbers] can not be empty."


def assert_error(answer: httpx.Response, status: int, details: str | None = None) -> None:
    """One error of this face: three texts, none empty, two of them the same."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"message", "details", "reason"}
    assert all(isinstance(text, str) and text for text in body.values())
    assert body["reason"] == body["details"]
    if details is not None:
        assert body["details"] == details


def assert_empty(answer: httpx.Response) -> None:
    """What the original API answered to all that went well."""
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == "0"
    assert "content-type" not in answer.headers


async def test_post_optin_opts_in(doors: Doors) -> None:
    """POST provision/optin: an empty 200, and the number may be messaged."""
    assert not await doors.allowed(ANNA)
    assert_empty(await doors.legacy("POST", "provision/optin", ANNA, BERTIL))
    assert await doors.allowed(ANNA)
    assert await doors.allowed(BERTIL)


@pytest.mark.parametrize(
    ("method", "tail"), [("DELETE", "provision/optin"), ("POST", "provision/optout")]
)
async def test_both_ways_to_opt_out(doors: Doors, method: str, tail: str) -> None:
    """DELETE provision/optin and its deprecated twin opt out at once."""
    await doors.legacy("POST", "provision/optin", ANNA, BERTIL)
    assert_empty(await doors.legacy(method, tail, ANNA))
    [row] = await doors.check(ANNA)
    assert (row["allowed"], row["reason"]) == (False, "opted_out")
    assert await doors.allowed(BERTIL)


async def test_repeating_an_opt_in_is_ignored_not_rejected(doors: Doors) -> None:
    """H1: the second opt-in is 200 too, and a second entry in the ledger."""
    for _ in range(2):
        assert_empty(await doors.legacy("POST", "provision/optin", ANNA))
    assert [e.claim.kind for e in await doors.events(ANNA)] == [Kind.OPT_IN, Kind.OPT_IN]


async def test_opting_out_somebody_unknown_is_fine(doors: Doors) -> None:
    """H1: an opt-out of a number nobody knows is 200 and stays in the ledger."""
    assert_empty(await doors.legacy("DELETE", "provision/optin", ANNA))
    assert [e.claim.kind for e in await doors.events(ANNA)] == [Kind.OPT_OUT]
    assert (await doors.check(ANNA))[0]["reason"] == "opted_out"


async def test_an_entry_says_who_and_from_where(doors: Doors) -> None:
    """R14: token, door, address and user agent are kept with the event."""
    agent = [("User-Agent", "shop/1.0")]
    await doors.legacy("POST", "provision/optin", ANNA, headers=agent)
    [event] = await doors.events(ANNA)
    [token] = await doors.bots.tokens(BOT)
    assert event.claim.actor == token.token_id
    assert event.claim.source == "legacy_api"
    assert event.claim.context == {"ip": "127.0.0.1", "user_agent": "shop/1.0"}


async def test_one_bots_opt_in_says_nothing_about_another(doors: Doors) -> None:
    """R1: the same number is unknown to every other bot."""
    token = await doors.add_bot("shop.2")
    await doors.legacy("POST", "provision/optin", ANNA)
    answer = await doors.call("POST", "/v1/bots/shop.2/check", {"identities": [ANNA]}, token=token)
    assert answer.json()["results"][0]["reason"] == "no_opt_in"


@pytest.mark.parametrize("place", [0, 3, 19])
@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("POST", "provision/optin"),
        ("DELETE", "provision/optin"),
        ("POST", "provision/optout"),
        ("POST", "provision/blacklist"),
        ("DELETE", "provision/blacklist"),
    ],
)
async def test_one_bad_number_spoils_the_list(
    doors: Doors, method: str, tail: str, place: int
) -> None:
    """H2: 400 that names the place, shows nothing of the input, and nothing is stored."""
    numbers = [f"467320011{n:02}" for n in range(20)]
    numbers[place] = "12-secret-34"
    answer = await doors.legacy(method, tail, *numbers)
    assert_error(answer, 400, f"Field [numbers[{place}]] is not a phone number.")
    assert "secret" not in answer.text
    for number in numbers[:place] + numbers[place + 1 :]:
        assert not await doors.events(number)
    assert await doors.services.blacklist.page(BOT, 0) == []


@pytest.mark.parametrize("body", [{}, {"numbers": None}, {"numbers": []}, {"Numbers": [ANNA]}])
async def test_no_numbers(doors: Doors, body: Any) -> None:
    """H2: a list that is missing, null or empty is told in the original's words."""
    answer = await doors.call("POST", f"/whatsapp/v1/{BOT}/provision/optin", body)
    assert_error(answer, 400, EMPTY_LIST)
    assert answer.json()["message"] == "Validation error"


@pytest.mark.parametrize("numbers", ["46732001122", 46732001122, {"0": ANNA}, True, ""])
async def test_numbers_that_are_no_array(doors: Doors, numbers: Any) -> None:
    """H6: a `numbers` that is no array is 400."""
    answer = await doors.call("POST", f"/whatsapp/v1/{BOT}/provision/optin", {"numbers": numbers})
    assert_error(answer, 400, "Field [numbers] must be an array.")


@pytest.mark.parametrize("element", [None, True, 1.5, [], {}, -46732001122, 10**40])
async def test_elements_that_are_no_numbers(doors: Doors, element: Any) -> None:
    """H6: null and other elements that cannot be numbers are 400."""
    assert_error(
        await doors.legacy("POST", "provision/optin", ANNA, element),
        400,
        "Field [numbers[1]] is not a phone number.",
    )
    assert not await doors.events(ANNA)


async def test_twenty_numbers_but_not_twenty_one(doors: Doors) -> None:
    """H3: elements are counted as they came, before duplicates collapse."""
    assert_empty(await doors.legacy("POST", "provision/optin", *[ANNA] * 20))
    answer = await doors.legacy("POST", "provision/optin", *[BERTIL] * 21)
    assert_error(answer, 400, "Field [numbers] can not have more than 20 elements.")
    assert not await doors.events(BERTIL)


async def test_duplicates_collapse(doors: Doors) -> None:
    """H3: one number written in four ways, once as an integer, is one entry."""
    await doors.legacy(
        "POST", "provision/optin", ANNA, "+46 73-200.11 (22)", "0046732001122", int(ANNA)
    )
    assert len(await doors.events(ANNA)) == 1


async def test_rows_are_a_setting_of_the_bot(doors: Doors) -> None:
    """H7: good and bad numbers as rows; what is good is recorded."""
    await doors.bots.change(BOT, {"optin_response": "rows"})
    answer = await doors.legacy(
        "POST", "provision/optin", "+46 732001122", ANNA, "12", int(BERTIL), ""
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["optInNumbers"] == [
        {"msisdn": ANNA, "waId": ANNA},
        {"msisdn": BERTIL, "waId": BERTIL},
    ]
    assert [row["msisdn"] for row in body["failedToOptInNumbers"]] == ["12", ""]
    assert all(row["rejectionReason"] for row in body["failedToOptInNumbers"])
    assert await doors.allowed(ANNA)
    assert await doors.allowed(BERTIL)


@pytest.mark.parametrize(("numbers", "empty"), [(["1"], "optIn"), ([ANNA], "failedToOptIn")])
async def test_both_arrays_are_always_there(doors: Doors, numbers: list[str], empty: str) -> None:
    """H7: a client that counts an array finds it, though it is empty."""
    await doors.bots.change(BOT, {"optin_response": "rows"})
    body = (await doors.legacy("POST", "provision/optin", *numbers)).json()
    assert set(body) == {"optInNumbers", "failedToOptInNumbers"}
    assert body[f"{empty}Numbers"] == []


@pytest.mark.parametrize("bad", [None, True, {}, -5, 12])
async def test_rows_are_for_texts(doors: Doors, bad: Any) -> None:
    """H7: an element that is no string and no number stays a 400, and nothing is stored."""
    await doors.bots.change(BOT, {"optin_response": "rows"})
    answer = await doors.legacy("POST", "provision/optin", ANNA, bad)
    assert_error(answer, 400, "Field [numbers[1]] is not a phone number.")
    assert not await doors.events(ANNA)


async def test_rows_keep_the_counts(doors: Doors) -> None:
    """H7: no numbers and more than 20 are 400 with rows too."""
    await doors.bots.change(BOT, {"optin_response": "rows"})
    assert_error(await doors.legacy("POST", "provision/optin"), 400, EMPTY_LIST)
    assert_error(await doors.legacy("POST", "provision/optin", *[ANNA] * 21), 400)


async def test_rows_are_for_opt_ins_only(doors: Doors) -> None:
    """H7: opting out stays an empty 200, and a bad number there stays a 400."""
    await doors.bots.change(BOT, {"optin_response": "rows"})
    assert_empty(await doors.legacy("DELETE", "provision/optin", ANNA))
    assert_empty(await doors.legacy("POST", "provision/optout", ANNA))
    assert_error(await doors.legacy("DELETE", "provision/optin", "12"), 400)


async def test_the_blacklist(doors: Doors) -> None:
    """POST puts numbers on it, DELETE takes them off, GET shows them with their '+'."""
    path = f"/whatsapp/v1/{BOT}/provision/blacklist"
    assert_empty(await doors.legacy("POST", "provision/blacklist", BERTIL, ANNA, ANNA))
    answer = await doors.call("GET", path)
    assert answer.status_code == 200
    assert answer.json() == {"numbers": [f"+{ANNA}", f"+{BERTIL}"]}
    assert_empty(await doors.legacy("DELETE", "provision/blacklist", BERTIL))
    assert (await doors.call("GET", path + "?page=0")).json() == {"numbers": [f"+{ANNA}"]}


async def test_the_blacklist_is_no_opt_out(doors: Doors) -> None:
    """For consent a listed number counts as any other."""
    await doors.legacy("POST", "provision/optin", ANNA)
    await doors.legacy("POST", "provision/blacklist", ANNA)
    assert await doors.allowed(ANNA)


async def test_the_blacklist_has_pages_of_a_hundred(doors: Doors) -> None:
    """The pages hold every number once, in order, then nothing."""
    numbers = [f"4673200{n:04}" for n in range(130)]
    for begin in range(0, 130, 20):
        await doors.legacy("POST", "provision/blacklist", *numbers[begin : begin + 20])
    path = f"/whatsapp/v1/{BOT}/provision/blacklist"
    pages = [(await doors.call("GET", f"{path}?page={n}")).json()["numbers"] for n in range(3)]
    assert [len(page) for page in pages] == [100, 30, 0]
    assert pages[0] + pages[1] == [f"+{number}" for number in numbers]


@pytest.mark.parametrize("page", ["-1", "x", "1.5", "9" * 30, "٣"])
async def test_a_page_that_is_none(doors: Doors, page: str) -> None:
    """A page that is no number is 400, not the first page."""
    answer = await doors.call("GET", f"/whatsapp/v1/{BOT}/provision/blacklist?page={page}")
    assert_error(answer, 400)


ALLOWED = {
    "provision/optin": "DELETE, POST",
    "provision/optout": "POST",
    "provision/blacklist": "DELETE, GET, POST",
    "messages": "POST",
}


@pytest.mark.parametrize("tail", ALLOWED)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "GET", "DELETE", "BREW"])
async def test_other_methods(doors: Doors, tail: str, method: str) -> None:
    """H6: 405 names the methods there are, with or without a token."""
    if method in ALLOWED[tail]:
        return
    for token in ("", None):
        answer = await doors.call(method, f"/whatsapp/v1/{BOT}/{tail}", token=token)
        assert_error(answer, 405)
        assert answer.headers["allow"] == ALLOWED[tail]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1",
        "v1/",
        f"v1/{BOT}",
        f"v1/{BOT}/",
        f"v1/{BOT}/provision",
        f"v1/{BOT}/provision/optIn",
        f"v1/{BOT}/provision/optin/x",
        f"v1/{BOT}/provision//optin",
        f"v1//{BOT}/provision/optin",
        "v1//provision/optin",
        f"v2/{BOT}/provision/optin",
    ],
)
async def test_unknown_paths(doors: Doors, path: str) -> None:
    """H6: a path that leads nowhere is 404 for every method, with this face's body."""
    for method in ("GET", "POST"):
        assert_error(await doors.call(method, PREFIX + path, {"numbers": [ANNA]}), 404)
