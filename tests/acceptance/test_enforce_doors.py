"""R7, `enforce`, at every door: native send, Graph face, Sinch as the upstream, and `check`.

The tables are those of `test_enforce`, which goes through the Sinch-compatible face to Meta.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.program import Program
from tests.acceptance.test_enforce import (
    BASES,
    CATEGORIES,
    SETTINGS,
    STATES,
    Business,
    expected,
    table_of,
)
from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION
from tests.upstreams.conversation_api import ConversationApi, conversation_api
from tests.upstreams.graph_api import GraphApi, graph_api

NUMBERS = {state: f"4673200{1100 + n}" for n, state in enumerate(STATES)}
TEMPLATES = [category for category in CATEGORIES if category != "service"]
#: reason -> Graph's code for it (SPEC 7).
CODES = {
    "opted_out": 131050,
    "no_opt_in": 131050,
    "marketing_stopped": 131050,
    "session_required": 131047,
}


@dataclass
class Service:
    """A bot on each provider, alike in all else, with every contact in its state."""

    cloud: GraphApi
    conversation: ConversationApi
    meta: Business
    sinch: Business


@asynccontextmanager
async def serving(folder: Path, enforce: str) -> AsyncIterator[Service]:
    async with graph_api() as cloud, conversation_api() as conversation:
        program = Program(folder)
        on_meta = {
            "upstream": "meta",
            "meta.base_url": cloud.base_url,
            "meta.phone_number_id": NUMBER,
            "meta.access_token": TOKEN,
        }
        bots = []
        for bot_id, settings in (("on-meta", on_meta), ("on-sinch", conversation.settings)):
            token = program.add_bot(bot_id, enforce=enforce, **settings)
            bots.append(Business(program, bot_id, token, folder / "optin.db"))
        await asyncio.to_thread(program.start)
        try:
            for bot in bots:
                await put_templates(bot)
                for state, happened in STATES.items():
                    await bot.bring_into(NUMBERS[state], happened)
            yield Service(cloud, conversation, *bots)
        finally:
            await asyncio.to_thread(program.__exit__)


async def put_templates(business: Business) -> None:
    """A record for each category but one."""
    root = f"{business.program.url}/v1/bots/{business.bot_id}/templates"
    async with aiohttp.ClientSession(headers=business._headers) as session:
        for category in ("marketing", "utility", "authentication"):
            url, body = f"{root}/t_{category}/en", {"category": category}
            async with session.put(url, json=body) as answer:
                assert answer.status == 200, await answer.text()


def legacy(category: str) -> dict[str, Any]:
    """The message, as the Sinch-compatible face and the native API take it."""
    if category == "service":
        return {"type": "text", "text": "Hello"}
    return {"type": "template", "template_name": f"t_{category}", "language": "en"}


def graph(category: str) -> dict[str, Any]:
    """The message, as the Cloud API takes it."""
    if category == "service":
        return {"type": "text", "text": {"body": "Hello"}}
    template = {"name": f"t_{category}", "language": {"code": "en"}}
    return {"type": "template", "template": template}


async def posted(business: Business, path: str, body: Any) -> tuple[int, Any, str]:
    """Status, JSON and the id that the Graph face gives a message."""
    url, headers = business.program.url + path, business._headers
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json=body) as answer,
    ):
        return answer.status, await answer.json(), answer.headers.get("x-optin-message-id", "")


async def native(business: Business, state: str, category: str) -> tuple[Any, ...]:
    """What the native send answers, and our id."""
    body = {"to": NUMBERS[state], "message": legacy(category)}
    status, told, _ = await posted(business, f"/v1/bots/{business.bot_id}/messages", body)
    assert status == 201, told
    row = (told["allowed"], told["reason"], told["basis"], told["state"])
    return row, told["message_id"]


async def relayed(business: Business, state: str, category: str, edge: str) -> tuple[Any, ...]:
    """What the Graph face answers, and our id."""
    common = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    told_apart = {"biz_opaque_callback_data": f"{edge}/{state}/{category}"}
    body = {**common, **told_apart, "to": f"+{NUMBERS[state]}", **graph(category)}
    status, told, message_id = await posted(business, f"/graph/{VERSION}/{NUMBER}/{edge}", body)
    error = told.get("error")
    seen = (error["code"], error["error_data"]["details"]) if error else None
    return (status, seen), message_id


@pytest.mark.parametrize("enforce", SETTINGS)
async def test_the_native_send(tmp_path: Path, enforce: str) -> None:
    """SPEC 6: `allowed` is what the gate did, `reason` what the rule said, softened or not."""
    async with serving(tmp_path, enforce) as service:
        answers = {
            (state, category): await native(service.meta, state, category)
            for state in STATES
            for category in CATEGORIES
        }
        await service.meta.settled()
        sent = {body["biz_opaque_callback_data"] for body in service.cloud.taken}
        for cell, word in table_of(enforce).items():
            told, message_id = answers[cell]
            _, first, *kept, reached = expected(word)
            reason, basis, passed, _ = kept
            assert told == (bool(passed), reason, basis, first), cell
            assert service.meta.recorded(message_id) == tuple(kept), cell
            assert (message_id in sent) is reached, cell
        assert service.cloud.objections == []


@pytest.mark.parametrize("enforce", SETTINGS)
async def test_the_graph_face(tmp_path: Path, enforce: str) -> None:
    """SPEC 7: refused with Graph's code and our reason, or passed on; recorded either way. What
    goes to `marketing_messages` is marketing, whatever its template."""
    table = table_of(enforce)
    judged = {("messages", state, category): word for (state, category), word in table.items()}
    for state in STATES:
        for category in TEMPLATES:
            judged["marketing_messages", state, category] = table[state, "marketing"]
    async with serving(tmp_path, enforce) as service:
        answers = {
            (edge, state, category): await relayed(service.meta, state, category, edge)
            for edge, state, category in judged
        }
        await service.meta.settled()
        sent = {body["biz_opaque_callback_data"] for body in service.cloud.taken}
        for cell, word in judged.items():
            told, message_id = answers[cell]
            *_, reason, basis, passed, ended, reached = expected(word)
            refused = (400, (CODES[word.lower()], reason)) if word.isupper() else None
            assert told == (refused or (200, None)), cell
            assert service.meta.recorded(message_id) == (reason, basis, passed, ended), cell
            assert ("/".join(cell) in sent) is reached, cell
        assert service.cloud.objections == []


@pytest.mark.parametrize("enforce", SETTINGS)
async def test_sinch_as_the_upstream(tmp_path: Path, enforce: str) -> None:
    """R7 whatever the provider: the same rows, the same records, and Sinch hears of no other."""
    async with serving(tmp_path, enforce) as service:
        rows = {
            (state, category): await service.sinch.row(NUMBERS[state], category)
            for state in STATES
            for category in CATEGORIES
        }
        await service.sinch.settled()
        sent = {body["correlation_id"] for body in service.conversation.taken}
        got = {
            cell: (
                row["status"],
                row["state"],
                *service.sinch.recorded(row["message_id"]),
                row["message_id"] in sent,
            )
            for cell, row in rows.items()
        }
        assert got == {cell: expected(word) for cell, word in table_of(enforce).items()}
        assert service.conversation.objections == []


@pytest.mark.parametrize("enforce", SETTINGS)
async def test_check_is_never_softened(tmp_path: Path, enforce: str) -> None:
    """SPEC 6: `check` gives the rule's own answer in every setting, `enforced` says whether the
    gate would refuse; it writes nothing."""
    rule, gate = table_of("all"), table_of(enforce)
    async with serving(tmp_path, enforce) as service:
        counted = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM messages)"
        before = service.meta.stored(counted)
        for category in CATEGORIES:
            about = {"category": category}
            if category == "unrecorded":
                about = {"template": "t_unrecorded", "language": "en"}
            body = {"identities": list(NUMBERS.values()), **about}
            status, told, _ = await posted(service.meta, "/v1/bots/on-meta/check", body)
            assert status == 200, told
            for state, row in zip(STATES, told["results"], strict=True):
                word = rule[state, category]
                basis = word if word in BASES else None
                reason = None if basis else word.lower()
                answer = (row["allowed"], row["reason"], row["basis"], row["enforced"])
                refuses = gate[state, category].isupper()
                assert answer == (basis is not None, reason, basis, refuses), (state, category)
        assert service.meta.stored(counted) == before
