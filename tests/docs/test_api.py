"""docs/api.md: its examples are run, its answers compared, and it names every path there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.routing import Route

from optin.domain.bots import Bot
from optin.domain.callbacks import notification_body, signature_headers, status_body
from optin.domain.changes import change_body
from optin.domain.consent import Clocks
from optin.domain.consent_items import ACTIONS
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.inbound import InboundMessage
from optin.domain.message_shapes import SHAPES
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage
from optin.domain.rfc3339 import parse_time
from optin.web import admin, health, hooks, legacy, metrics, native
from optin.web.admin_call import AdminResource
from optin.web.incoming import IncomingBodies
from optin.web.resource import Resource
from optin.web.services import Services
from tests.acceptance.program import Program
from tests.docs.pages import blocks, code, section, text_of
from tests.docs.shell import at_hand, run

PAGE = text_of("docs/api.md")
AT = parse_time("2026-04-11T09:30:00Z", "at")


def test_the_examples_answer_what_they_say(tmp_path: Path) -> None:
    """Every command of the page is run in order; ids, tokens and times apart, answers agree."""
    if not at_hand("curl", "openssl"):
        return
    with Program(tmp_path) as program:
        assert run(blocks(PAGE), tmp_path, program.url) > 20


def served() -> Iterator[str]:
    """Every method and path of the application, as the page's headings write them."""
    services = cast(Services, _Nothing())
    for path, resource in legacy._resources(services).items():
        for method in resource.methods:
            yield f"{method} /whatsapp/v1/{{bot-id}}/{path}"
    yield from (
        f"{method} /v1/bots/{{bot-id}}/check" for method in native.check_resource(services).methods
    )
    machines = (*health.routes(services), *metrics.routes(None))
    bodies = IncomingBodies()
    doors = (*hooks.routes(services, bodies), *hooks.sinch_routes(services, bodies))
    for route in (*native.routes(services), *admin.routes(services), *doors, *machines):
        for method in methods_of(route) - {"HEAD"}:
            yield f"{method} {route.path.replace('_id}', '-id}').removesuffix('/')}"


def methods_of(route: Route) -> set[str]:
    if isinstance(route.endpoint, Resource | AdminResource):
        return set(route.endpoint.methods)
    return set(route.methods or ())


class _Nothing:
    """Stands for the use cases, which no route asks for while the table is made."""

    def __getattr__(self, _: str) -> None:
        return None


def test_every_path_has_its_heading() -> None:
    """The page's headings and the application's routes are the same."""
    headings = {code(line) for line in PAGE.splitlines() if line.startswith("### `")}
    assert headings == set(served())


@pytest.mark.parametrize("path", sorted(set(served())))
def test_every_path_has_an_example(path: str) -> None:
    """Below each heading there is a command that is run, and its answer."""
    marks = [block.mark for block in blocks(section(PAGE, f"### `{path}`"))]
    assert marks[0] == "run"
    assert "output" in marks


def shown(mark: str) -> Any:
    """The callback body that the page shows."""
    (text,) = (block.text for block in blocks(PAGE) if block.mark == f"callback: {mark}")
    return json.loads(text)


def test_a_report_looks_as_shown() -> None:
    """SPEC 4: the body of a report is what the program makes of such a message."""
    example = shown("report")
    told = example["statuses"][0]
    queued = OutboxMessage(
        bot_id="shop",
        message_id=told["message_id"],
        identity="46701740605",
        body={"type": "text", "text": "-"},
        category=Category.SERVICE,
        created=0,
        expires=0,
        due=0,
    )
    delivered = replace(queued, state=MessageState.DELIVERED)
    assert json.loads(status_body(delivered, AT)) == example


def test_a_notification_looks_as_shown() -> None:
    """SPEC 4: the body of an inbound message is what the program makes of such a message."""
    example = shown("notification")
    wrote = InboundMessage(
        phone_number_id="1",
        identities=("46701740605",),
        upstream_id="wamid.1",
        at=AT,
        type="text",
        opens_session=True,
        profile_name="Ada",
        raw={"text": {"body": "Where is my order?"}},
    )
    assert json.loads(notification_body(wrote, "shop", AT)) == example


def test_a_change_looks_as_shown() -> None:
    """SPEC 4: the body for a change of consent is what the program makes of such an event."""
    example = shown("change")
    claim = Claim(
        event_id=bytes.fromhex(example["event"]["id"]),
        identity="46701740605",
        kind=Kind.OPT_OUT,
        origin=Origin.LIVE,
        source="legacy_api",
    )
    before, after = Clocks(opt_in=1), Clocks(opt_in=1, opt_out_other=AT)
    body = change_body(Bot("shop"), Event(claim, AT, AT), before, after, 2)
    assert body is not None
    assert json.loads(body) == example


def test_the_shown_check_of_a_signature_works() -> None:
    """SPEC 4: the function on the page takes our signature, and no other."""
    (text,) = (block.text for block in blocks(PAGE) if block.mark == "verify")
    names: dict[str, Any] = {}
    exec(text, names)
    headers = signature_headers("key", "hex", b"{}", "nonce")
    assert names["is_signed"]("key", b"{}", headers)
    assert not names["is_signed"]("key", b"{ }", headers)
    assert not names["is_signed"]("other", b"{}", headers)


def test_words_are_complete() -> None:
    """The page names every message type, state and action."""
    words = {*SHAPES, *(state.value for state in MessageState), *ACTIONS}
    assert {word for word in words if f"`{word}`" not in PAGE} == set()
