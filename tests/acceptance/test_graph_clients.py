"""Cloud API clients as they are, at the real program: only their base URL is changed (SPEC 7)."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pywa import errors
from pywa.client import WhatsApp
from pywa.types.templates import BodyText, TemplateLanguage

from optin.domain.throughput import PAIR_BURST
from tests.acceptance.program import Program
from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION, answering, graph_error, hanging
from tests.upstreams.graph_api import FILE, MEDIA, WABA, GraphApi, graph_api

ANNA, BERTIL, BSUID = "46732001122", "46732001133", "SE.1349120865530274"


@dataclass
class Shop:
    """The program with one bot, and the provider behind it."""

    program: Program
    api: GraphApi
    token: str

    @property
    def base_url(self) -> str:
        return f"{self.program.url}/graph/{VERSION}"

    def consents(self, action: str, *identities: str) -> None:
        """Records a consent of each."""
        items = [{"identity": identity, "action": action} for identity in identities]
        self.post("/v1/bots/shop/consents", {"items": items})

    def post(self, path: str, body: Any) -> Any:
        """One JSON call, by nothing but the standard library."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        url = self.program.url + path
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    @contextmanager
    def pywa(self) -> Iterator[WhatsApp]:
        """pywa, its session pointed here."""
        with httpx.Client() as session:
            client = WhatsApp(NUMBER, self.token, session=session, waba_id=WABA)
            session.base_url = self.base_url
            yield client


@asynccontextmanager
async def opened(folder: Path, api: GraphApi) -> AsyncIterator[Shop]:
    """The program, with its bot at the simulated provider."""
    program = Program(folder)
    settings = {
        "upstream": "meta",
        "meta.base_url": api.base_url,
        "meta.phone_number_id": NUMBER,
        "meta.access_token": TOKEN,
    }

    def started() -> str:
        token = program.add_bot("shop", **settings)
        set_template = ["template", "set", "--bot", "shop", "order_ready", "en", "utility"]
        assert program.command(*set_template).returncode == 0
        program.start()
        return token

    try:
        yield Shop(program, api, await asyncio.to_thread(started))
    finally:
        await asyncio.to_thread(program.stop)


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with graph_api() as api, opened(tmp_path, api) as shop:
        yield shop


async def within(shop: Shop, use: Callable[[WhatsApp], Any]) -> Any:
    """What a user of pywa does, beside the provider's loop."""

    def run() -> Any:
        with shop.pywa() as client:
            return use(client)

    return await asyncio.to_thread(run)


async def test_pywa_sends(shop: Shop) -> None:
    """Text, template and image, to a number as people write it and to a BSUID."""
    await asyncio.to_thread(shop.consents, "message", ANNA, BSUID)

    def use(client: WhatsApp) -> None:
        sent = client.send_message(ANNA, "Your parcel is here.", tracker="mine")
        assert sent.id == "wamid.1"
        client.send_message(f"+{ANNA}", "And another.")
        client.send_message(BSUID, "You too.")
        client.send_image(ANNA, f"{shop.api.base_url}/a.jpg", caption="Menu")
        client.send_template(
            ANNA,
            "order_ready",
            TemplateLanguage.ENGLISH,
            [BodyText.params("Ada")],  # type: ignore[arg-type]  # pywa's own annotation
        )

    await within(shop, use)
    assert shop.api.objections == []
    assert [taken["type"] for taken in shop.api.taken] == ["text"] * 3 + ["image", "template"]
    assert [t.get("to") for t in shop.api.taken] == [f"+{ANNA}"] * 2 + [None] + [f"+{ANNA}"] * 2
    assert shop.api.taken[0]["biz_opaque_callback_data"] == "mine"
    assert shop.api.taken[2]["recipient"] == BSUID


async def test_pywa_understands_the_refusals(shop: Shop) -> None:
    """Each is the exception that pywa has for Meta's own code; nothing was sent."""
    await asyncio.to_thread(shop.consents, "opt_in", ANNA)

    def use(client: WhatsApp) -> None:
        with pytest.raises(errors.ReEngagementMessage) as late:
            client.send_message(ANNA, "Hi")
        assert (late.value.details, late.value.status_code) == ("session_required", 400)
        with pytest.raises(errors.UserStoppedMarketingMessages) as stopped:
            client.send_template(BERTIL, "order_ready", TemplateLanguage.ENGLISH, [])
        assert stopped.value.details == "no_opt_in"
        with pytest.raises(errors.InvalidParameter):
            client.api.send_message(NUMBER, "12", None, "individual", "text", {"body": "x"})
        with pytest.raises(errors.APIMethod):
            client.update_business_profile(about="Hello")

    await within(shop, use)
    shop.api.heard_nothing()


async def test_pywa_reads_and_uploads(shop: Shop) -> None:
    """Receipts, media both ways, the number and all pages of the templates."""

    def use(client: WhatsApp) -> None:
        client.mark_message_as_read("wamid.IN")
        uploaded = client.upload_media(FILE, mime_type="image/jpeg", filename="a.jpg")
        assert uploaded.id == MEDIA
        url = client.get_media_url(MEDIA).url
        assert client.get_media_bytes(url=url) == FILE
        assert client.delete_media(MEDIA)
        assert client.api.get_business_phone_number(NUMBER)["id"] == NUMBER
        page = client.api.get_templates(WABA, None, None)
        assert page["data"] == [{"name": "order_ready"}]
        following = client.api.send_raw_request("GET", page["paging"]["next"])
        assert "next" not in following["paging"]

    await within(shop, use)
    assert len(shop.api.receipts) == 1
    assert shop.api.uploads[0]["file"] == FILE


async def test_pywa_with_a_wrong_token(shop: Shop) -> None:
    """Its own exception for 190."""
    shop.token = "optin_wrong"

    def use(client: WhatsApp) -> None:
        with pytest.raises(errors.ExpiredAccessToken):
            client.send_message(ANNA, "Hi")

    await within(shop, use)


async def test_pywa_understands_the_limits(shop: Shop) -> None:
    """Too many to one recipient, and a sender whose token the provider refuses: pywa's exceptions
    for Meta's own codes, and the second try of either never reached the provider."""
    await asyncio.to_thread(shop.consents, "message", ANNA, BERTIL)

    def use(client: WhatsApp) -> None:
        for _ in range(PAIR_BURST):
            client.send_message(ANNA, "Hi")
        with pytest.raises(errors.TooManyMessages) as fast:
            client.send_message(ANNA, "Hi")
        assert (fast.value.status_code, fast.value.details) == (429, "pair_rate")
        shop.api.behaviour = answering(graph_error(190), 401)
        with pytest.raises(errors.ExpiredAccessToken):
            client.send_message(BERTIL, "Hi")
        with pytest.raises(errors.ServiceUnavailable) as held:
            client.send_message(BERTIL, "Hi")
        assert held.value.details == "upstream_on_hold"

    await within(shop, use)
    assert len(shop.api.taken) == PAIR_BURST + 1
    await asyncio.to_thread(of_the_outbox, shop)
    assert len(shop.api.taken) == PAIR_BURST + 1


def of_the_outbox(shop: Shop) -> None:
    """What the client met holds up the bot's other messages, too."""
    sent = {"to": [BERTIL], "message": {"type": "text", "text": "Hi"}}
    assert shop.post("/whatsapp/v1/shop/messages", sent)["statuses"][0]["state"] == "queued"
    time.sleep(1.0)
    with urllib.request.urlopen(f"{shop.program.url}/readyz") as answer:
        assert [row["bot"] for row in json.load(answer)["breakers"]] == ["shop"]


async def test_upstream_timeout_is_obeyed(tmp_path: Path) -> None:
    """A provider that never answers is waited for as long as the operator said, for messages and
    for other calls alike."""
    (tmp_path / "optin.toml").write_text("upstream_timeout = 1\n")
    async with graph_api() as api, opened(tmp_path, api) as shop:
        await asyncio.to_thread(shop.consents, "message", ANNA)
        api.behaviour = api.calls = hanging
        begun = time.monotonic()
        common = {"messaging_product": "whatsapp"}
        to = {**common, "recipient_type": "individual", "to": f"+{ANNA}"}
        message = {**to, "type": "text", "text": {"body": "Hi"}}
        receipt = {**common, "status": "read", "message_id": "wamid.IN"}
        assert await asyncio.to_thread(refusal, shop, message) == (424, 424)
        assert await asyncio.to_thread(refusal, shop, receipt) == (503, 131016)
        assert 1.9 < time.monotonic() - begun < 10


def refusal(shop: Shop, body: Any) -> tuple[int, int]:
    """(status, Graph's code) of what a post to `messages` ends with."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        shop.post(f"/graph/{VERSION}/{NUMBER}/messages", body)
    return refused.value.code, json.load(refused.value)["error"]["code"]


async def test_a_plain_client_sends(shop: Shop) -> None:
    """The call of Meta's own documentation, by the standard library."""
    await asyncio.to_thread(shop.consents, "opt_in", ANNA)
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": f"+{ANNA}",
        "type": "template",
        "template": {"name": "order_ready", "language": {"code": "en"}},
    }
    path = f"/graph/{VERSION}/{NUMBER}/messages"
    answer = await asyncio.to_thread(shop.post, path, body)
    assert answer["messages"] == [{"id": "wamid.1"}]
    assert shop.api.taken == [body]
    await asyncio.to_thread(shop.consents, "opt_out", ANNA)
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(shop.post, path, body)
    told = json.load(refused.value)["error"]
    assert (refused.value.code, told["code"]) == (400, 131050)
    assert told["error_data"]["details"] == "opted_out"
    assert len(shop.api.taken) == 1
