"""The Graph face: messages, judged (SPEC 7, R7, R11, R12)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from optin.domain.errors import StoreUnavailable
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import Stage
from tests.conftest import OpenStore
from tests.upstreams.cloud_api import NUMBER, answering, graph_error, hanging, saying
from tests.web.doors import ANNA, BERTIL, BOT
from tests.web.graph_face import BSUID, ROOT, TEXT, Face, error, open_face


@pytest_asyncio.fixture
async def face(open_store: OpenStore) -> AsyncIterator[Face]:
    async with open_face(open_store) as opened:
        await opened.categorise("order_ready", "utility")
        await opened.categorise("sale", "marketing")
        yield opened


async def test_an_allowed_message_goes_on_and_its_answer_comes_back(face: Face) -> None:
    """Byte for byte both ways, the client's own data kept, recorded as dispatched."""
    await face.says("message")
    told = {"messaging_product": "whatsapp", "messages": [{"id": "wamid.é"}], "odd": [1.0, "\n"]}
    face.api.behaviour = answering(told)
    answer = await face.post(**TEXT, biz_opaque_callback_data="mine")
    assert (answer.status_code, answer.content) == (200, json.dumps(told).encode())
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert [t["biz_opaque_callback_data"] for t in face.api.taken] == ["mine"]
    record = await face.record(answer)
    assert (record.stage, record.state) == (Stage.SETTLED, MessageState.DISPATCHED)
    assert (record.identity, record.upstream_id) == (ANNA, "wamid.é")
    assert (record.category, record.attempts) == (Category.SERVICE, 1)
    assert dict(record.body) == {"type": "graph", "content": "text"}


@pytest.mark.parametrize(
    ("said", "message", "code", "reason"),
    [
        ([], "order_ready", 131050, "no_opt_in"),
        (["opt_in", "opt_out"], "order_ready", 131050, "opted_out"),
        (["message", "opt_out"], "text", 131050, "opted_out"),
        (["opt_in", "marketing_stop"], "sale", 131050, "marketing_stopped"),
        (["opt_in", "marketing_stop"], "unheard_of", 131050, "marketing_stopped"),
        (["opt_in"], "text", 131047, "session_required"),
    ],
)
async def test_a_refused_message_is_an_error_of_graphs(
    face: Face, said: list[str], message: str, code: int, reason: str
) -> None:
    """R7 in Meta's codes; nothing is sent, and the refusal is on record."""
    for action in said:
        await face.says(action)
    answer = await (face.post(**TEXT) if message == "text" else face.template(message))
    assert error(answer) == (400, code, reason)
    face.api.heard_nothing()
    record = await face.record(answer)
    assert (record.stage, record.reason, record.passed) == (Stage.SETTLED, reason, False)
    assert record.state is (
        MessageState.NO_OPT_IN if reason in ("no_opt_in", "opted_out") else MessageState.FAILED
    )


async def test_templates_are_judged_by_their_records(face: Face) -> None:
    """Utility passes where marketing is stopped; `marketing_messages` is marketing all the same."""
    for action in ("opt_in", "marketing_stop"):
        await face.says(action)
    passed = await face.template("order_ready")
    assert passed.status_code == 200
    assert (await face.record(passed)).category is Category.UTILITY
    assert error(await face.template("order_ready", edge="marketing_messages"))[1] == 131050
    await face.says("marketing_resume")
    assert (await face.template("order_ready", edge="marketing_messages")).status_code == 200
    assert error(await face.post(**TEXT, edge="marketing_messages"))[:2] == (400, 3)


async def test_to_and_recipient_must_both_pass(face: Face) -> None:
    """Whichever is refused, nothing is sent, and the record names the one it was."""
    await face.says("opt_in")
    only_to = await face.template(recipient=BSUID)
    assert error(only_to) == (400, 131050, "no_opt_in")
    assert (await face.record(only_to)).identity == BSUID
    only_recipient = await face.template(to=f"+{BERTIL}", recipient=BSUID)
    assert (await face.record(only_recipient)).identity == BERTIL
    face.api.heard_nothing()
    await face.says("opt_in", BSUID)
    await face.template(recipient=BSUID)
    assert face.api.objections == ["recipient"]  # it went on: the simulated API wants one of both


async def test_a_bsuid_alone_is_judged_as_itself(face: Face) -> None:
    """In `recipient`, or where some clients write it, in `to`."""
    await face.says("opt_in", BSUID)
    answer = await face.template(to=..., recipient=BSUID)
    assert answer.status_code == 200
    assert (await face.record(answer)).identity == BSUID
    assert error(await face.template(to="SE.99"))[1] == 131050


async def test_a_number_without_plus_is_sent_with_it(face: Face) -> None:
    """Meta would put the sender's country in front of it."""
    await face.says("message")
    assert (await face.post(**TEXT, to=ANNA)).status_code == 200
    assert [taken["to"] for taken in face.api.taken] == [f"+{ANNA}"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": "STOP"}, 131009),
        ({"to": "Y2FwaV9ncm91cDox", "recipient_type": "group"}, 100),
        ({"to": None}, 100),
        ({"recipient": ANNA}, 131009),
        ({"type": "template"}, 100),
        ({"access_token": "EAAG"}, 100),
        ({"to[]": f"+{BERTIL}"}, 100),
    ],
)
async def test_what_cannot_be_judged_is_refused(face: Face, body: Any, code: int) -> None:
    """Even where everything is allowed: nothing is sent."""
    await face.set(enforce="none")
    answer = await face.post(**(TEXT | body))
    assert error(answer)[:2] == (400, code)
    face.api.heard_nothing()


async def test_enforce_is_obeyed(face: Face) -> None:
    """R7: with `none` everything passes and the rule's own answer is on record."""
    await face.set(enforce="none")
    answer = await face.post(**TEXT)
    record = await face.record(answer)
    assert (answer.status_code, record.reason, record.passed) == (200, "no_opt_in", True)
    await face.set(enforce="opt_outs")
    await face.says("opt_out")
    assert error(await face.post(**TEXT))[2] == "opted_out"


async def test_an_error_of_metas_comes_back_as_it_is(face: Face) -> None:
    """And 131050 stops marketing here, too (R8); the client may send again, nobody else does."""
    await face.says("opt_in")
    told = graph_error(131050, "stopped")
    face.api.behaviour = answering(told, 400, Retry_After="7")
    answer = await face.template("sale")
    assert (answer.status_code, answer.json()) == (400, told)
    assert answer.headers["retry-after"] == "7"
    record = await face.record(answer)
    assert (record.state, record.details) == (MessageState.FAILED, "131050: stopped")
    [_, stop] = await face.doors.events(ANNA)
    assert (stop.claim.kind, stop.claim.source) == ("provider_marketing_stop", "upstream:meta")
    assert error(await face.template("sale"))[2] == "marketing_stopped"


async def test_no_answer_is_an_unknown_outcome(face: Face) -> None:
    """It may have been sent: no code or status that libraries repeat, and it stays claimed."""
    await face.says("message")
    face.api.behaviour = hanging
    answer = await face.post(**TEXT)
    assert error(answer) == (424, 424, "unknown_outcome")
    assert "may have been sent" in answer.json()["error"]["message"]
    record = await face.record(answer)
    assert (record.stage, record.state) == (Stage.CLAIMED, MessageState.QUEUED)
    assert len(face.api.taken) == 1


async def test_an_unreadable_answer_is_handed_back_and_stays_unknown(face: Face) -> None:
    """A proxy's page says nothing of the message."""
    await face.says("message")
    face.api.behaviour = saying("<h1>Bad gateway</h1>", 502)
    answer = await face.post(**TEXT)
    assert (answer.status_code, answer.text) == (502, "<h1>Bad gateway</h1>")
    assert (await face.record(answer)).stage is Stage.CLAIMED


async def test_a_provider_that_is_away_got_nothing(face: Face) -> None:
    """131016 with 503: nothing was sent, and nothing is on record."""
    await face.says("message")
    await face.set(meta__base_url="http://127.0.0.1:1")
    answer = await face.post(**TEXT)
    assert error(answer)[:2] == (503, 131016)
    assert answer.json()["error"]["is_transient"] is True


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_wrong_token_is_190(face: Face, token: str) -> None:
    """Before anything else is looked at."""
    given = [("Authorization", f"Bearer {token}")] if token else []
    for method, path in (("POST", f"{ROOT}/{NUMBER}/messages"), ("GET", "/graph/nowhere")):
        answer = await face.doors.call(method, path, token="", headers=given)
        assert error(answer)[:2] == (401, 190)


async def test_the_token_may_stand_in_the_query(face: Face) -> None:
    """As Graph allows; two different ones are nobody's."""
    path = f"{ROOT}/{NUMBER}"
    asked = f"{path}?access_token={face.doors.token}"
    assert (await face.doors.call("GET", asked, token="")).status_code == 200
    assert (await face.doors.call("GET", asked)).status_code == 200
    assert error(await face.doors.call("GET", f"{path}?access_token=x"))[:2] == (401, 190)
    assert "access_token" not in str(face.api.heard)


async def test_a_token_needs_its_scope(face: Face) -> None:
    """One that may only read cannot send."""
    token = await face.doors.add_token("read")
    answer = await face.doors.call("POST", f"{ROOT}/{NUMBER}/messages", TEXT, token=token)
    assert error(answer)[:2] == (403, 10)
    assert (await face.call("GET", NUMBER, token=token)).status_code == 200


async def test_another_number_is_not_this_senders(face: Face) -> None:
    """The path's number is the bot's own."""
    assert error(await face.post(**TEXT, number="PNID2"))[:2] == (400, 100)
    assert face.api.heard == []


async def test_with_the_store_down_nothing_is_sent(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: 131016 with 503."""
    await face.says("message")

    async def fails(*_: object) -> Any:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(type(face.doors.store), "commit_ahead", fails)
    answer = await face.post(**TEXT)
    assert error(answer)[:2] == (503, 131016)
    assert face.api.taken == []


async def test_a_missing_setting_sends_nothing(face: Face) -> None:
    """R12."""
    await face.says("message")
    await face.set(meta__access_token="")
    assert error(await face.post(**TEXT))[:2] == (503, 131016)
    face.api.heard_nothing()


async def test_a_large_message_is_refused(face: Face) -> None:
    """More than 1 MiB is no message."""
    answer = await face.post(type="text", text={"body": "x" * 1_100_000})
    assert error(answer)[:2] == (413, 100)


async def test_the_sandbox_answers_in_graphs_shape(face: Face) -> None:
    """A bot without an account, under its own id as number."""
    await face.set(upstream="", meta__phone_number_id="")
    await face.says("message")
    answer = await face.post(**TEXT, number=BOT)
    [contact], [message] = answer.json()["contacts"], answer.json()["messages"]
    assert contact == {"input": f"+{ANNA}", "wa_id": ANNA}
    assert message["id"].startswith("wamid.SANDBOX")
    assert (await face.record(answer)).upstream_id == message["id"]
    assert error(await face.template("sale", number=BOT, to=BERTIL))[2] == "no_opt_in"
    assert (await face.call("GET", BOT)).json()["id"] == BOT
    assert error(await face.call("GET", "123"))[:2] == (400, 100)


async def test_an_upstream_without_graph_is_not_served(face: Face) -> None:
    """Sinch's API has other shapes."""
    await face.set(upstream="sinch")
    assert error(await face.post(**TEXT))[:2] == (400, 3)
