"""One address for all bots: each change goes to the bot whose number it names (SPEC 5)."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from optin.domain.bots import Bot
from optin.domain.events import Kind
from optin.upstreams.meta_parts import cut
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.receive_inbound.directory import OLDEST, BotList
from tests.conftest import OpenStore, first_token
from tests.usecases.hearing import bodied, change, kinds, text
from tests.web.doors import Doors, open_doors

SHARED, OWN = "secret of the app", "another secret"
ADA, BEN = "46732001122", "46732001133"
#: Bot -> its number, its app's secret.
BOTS = {"one": ("PN1", SHARED), "two": ("PN2", SHARED), "three": ("PN3", OWN), "plain": ("", "")}
ALL, ONE = "/webhooks/meta", "/webhooks/meta/one"


class Alarm(list[str]):
    """The bots for which it rang."""

    def __call__(self, bot_id: str) -> None:
        self.append(bot_id)


@pytest.fixture
def alarm() -> Alarm:
    return Alarm()


@pytest.fixture
async def doors(open_store: OpenStore, alarm: Alarm) -> AsyncIterator[Doors]:
    store = await open_store()
    for bot_id, (number, secret) in BOTS.items():
        settings = {"meta.phone_number_id": number, "meta.app_secret": secret}
        settings |= {"meta.verify_token": f"verify {bot_id}"} if number else {}
        given = {key: value for key, value in settings.items() if value}
        await store.add_bot(Bot(bot_id, given), first_token(bot_id))
    # A clock that runs fast, so that no test waits for settings of a second ago.
    bots = BotList(itertools.count(0.0, OLDEST).__next__)
    inbound = ReceiveInbound(store, parse, valid_signature, alarm=alarm, bots=bots, cut=cut)
    made = await open_doors(store, receive_inbound=inbound)
    yield made
    await made.client.aclose()


async def post(doors: Doors, path: str, content: bytes, secret: str = SHARED) -> httpx.Response:
    headers = [("X-Hub-Signature-256", sign(secret, content))]
    return await doors.call("POST", path, content=content, token="", headers=headers)


def stop(number: str, who: str = ADA) -> dict[str, Any]:
    return change(number, messages=[text("STOP", f"w.{number}.{who}") | {"from": who}])


async def stopped(doors: Doors, who: str = ADA) -> list[str]:
    """The bots that heard a stop."""
    return [b for b in BOTS if Kind.OPT_OUT_KEYWORD in await kinds(doors.store, who, bot_id=b)]


@pytest.mark.parametrize("path", [ALL, ALL + "/", ONE])
async def test_each_change_goes_to_its_bot(doors: Doors, path: str, alarm: Alarm) -> None:
    """Of one app, whichever address it came to; and to no other bot."""
    content = bodied(stop("PN1"), stop("PN2", BEN))
    assert (await post(doors, path, content)).status_code == 200
    assert (await stopped(doors), await stopped(doors, BEN)) == (["one"], ["two"])
    assert alarm == []


async def test_a_secret_speaks_for_its_own_bots_only(doors: Doors, alarm: Alarm) -> None:
    """A change about a number whose bot has another secret is stored, not believed."""
    assert (await post(doors, ALL, bodied(stop("PN1"), stop("PN3")))).status_code == 200
    assert await stopped(doors) == ["one"]
    assert alarm == ["one"]


@pytest.mark.parametrize("path", [ALL, ONE])
async def test_a_change_of_no_bot_is_stored_and_told(
    doors: Doors, path: str, alarm: Alarm, caplog: pytest.LogCaptureFixture
) -> None:
    """SPEC 5: signed by a known bot's secret, about a number that nobody has (yet)."""
    content = bodied(stop("PN9"))
    with caplog.at_level(logging.WARNING):
        assert (await post(doors, path, content)).status_code == 200
    assert alarm == ["one"]
    assert "PN9" in caplog.text
    [kept] = await doors.store.webhooks("one", b"", 10, noted=True)
    assert (kept.body, kept.note) == (content, "about another business number")
    await doors.store.add_bot(
        Bot("nine", {"meta.phone_number_id": "PN9", "meta.app_secret": SHARED}),
        first_token("nine"),
    )
    again = ReceiveInbound(doors.store, parse, valid_signature)
    assert await again.take_in_again("one", content) == 0
    assert Kind.OPT_OUT_KEYWORD in await kinds(doors.store, ADA, bot_id="nine")


@pytest.mark.parametrize("secret", ["unknown", ""])
async def test_an_unknown_signature_is_401(doors: Doors, secret: str) -> None:
    """Nothing changes, and a bot without a secret has none to sign with."""
    answer = await post(doors, ALL, bodied(stop("PN1")), secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    unsigned = await doors.call("POST", ALL, content=bodied(stop("PN1")), token="")
    assert unsigned.status_code == 401
    assert await stopped(doors) == []


async def test_every_secret_is_tried(doors: Doors) -> None:
    """A body that names no number is stored under the bot whose secret signed it."""
    assert (await post(doors, ALL, b'{"entry":[]}', OWN)).status_code == 200
    assert (await post(doors, ALL, bodied(stop("PN3")), OWN)).status_code == 200
    assert await stopped(doors) == ["three"]


async def test_a_big_body_is_believed_too(doors: Doors) -> None:
    """Looked at beside the event loop, with the same result."""
    many = [text("hi " * 50, f"w.{n}") | {"from": f"4673{n:07}"} for n in range(800)]
    content = bodied(change("PN2", messages=many), stop("PN1"))
    assert (await post(doors, ALL, content)).status_code == 200
    assert await stopped(doors) == ["one"]
    assert await kinds(doors.store, "46730000799", bot_id="two") == [Kind.MESSAGE]


async def test_templates_go_to_all_bots_of_the_account(doors: Doors) -> None:
    """H9: the numbers of one account share its templates."""
    for bot_id in ("one", "two"):
        await doors.store.put_settings(bot_id, {"meta.waba_id": "WABA1"})
    told = {
        "message_template_name": "sale",
        "message_template_language": "en",
        "previous_category": "UTILITY",
        "new_category": "MARKETING",
    }
    news = {"field": "template_category_update", "value": told}
    assert (await post(doors, ALL, bodied(news))).status_code == 200
    heard = [b for b in BOTS if await doors.store.template(b, "sale", "en") is not None]
    assert heard == ["one", "two"]


async def test_bots_with_one_number_all_hear(doors: Doors, alarm: Alarm) -> None:
    """R12: a stop to a number is one for each bot with that number and secret, and no other."""
    for bot_id in ("two", "three"):
        await doors.store.put_settings(bot_id, {"meta.phone_number_id": "PN1"})
    for path, who in ((ALL, ADA), (ONE, BEN)):
        assert (await post(doors, path, bodied(stop("PN1", who)))).status_code == 200
        assert await stopped(doors, who) == ["one", "two"]
    assert alarm == []


@pytest.mark.parametrize(
    ("token", "status"),
    [("verify one", 200), ("verify three", 200), ("verify plain", 403), ("", 403), ("x", 403)],
)
async def test_the_handshake_takes_any_bots_token(doors: Doors, token: str, status: int) -> None:
    """SPEC 5: one address is registered once, with the token of any of its bots."""
    asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "42"}
    answer = await doors.client.get(ALL, params=asked)
    assert answer.status_code == status
    assert (answer.text == "42") is (status == 200)
