"""What the libraries of today post is let through (SPEC 7)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pywa.api import GraphAPI

from optin.domain.graph_posts import GraphMessage, Receipt, parse_post
from tests.web.graph_face import BSUID

#: Every type that pywa has a call for, but what goes to groups only.
TYPES = ("text", "image", "video", "document", "audio", "sticker", "location", "contacts")
MORE = {
    "reply_to_message_id": "wamid.1",
    "biz_opaque_callback_data": "mine",
    "recipient_identity_key_hash": "hash",
}


@pytest.fixture
def posted() -> list[bytes]:
    return []


@pytest.fixture
def api(posted: list[bytes]) -> GraphAPI:
    """Of pywa's, talking to a list."""

    def take(request: httpx.Request) -> httpx.Response:
        posted.append(request.read())
        return httpx.Response(200, json={"messages": [{"id": "wamid.1"}]})

    return GraphAPI("token", httpx.Client(transport=httpx.MockTransport(take)), 25.0)


@pytest.mark.parametrize("kind", [*TYPES, "interactive", "reaction", "template"])
@pytest.mark.parametrize("more", [{}, MORE])
def test_messages(api: GraphAPI, posted: list[bytes], kind: str, more: Any) -> None:
    """With all that can be said beside the content."""
    content = {"name": "sale", "language": {"code": "en"}}
    api.send_message("1", "+46732001122", BSUID, "individual", kind, content, **more)
    [body] = posted
    found = parse_post(body)
    assert isinstance(found, GraphMessage)
    assert (found.type, found.body, found.opaque) == (kind, body, "mine" if more else "")


def test_marketing_messages(api: GraphAPI, posted: list[bytes]) -> None:
    """With what only these have."""
    template = {"name": "sale", "language": {"code": "en"}}
    given: Any = {**MORE, "message_activity_sharing": True}
    api.send_marketing_message("1", "+46732001122", None, "individual", template, **given)
    [body] = posted
    found = parse_post(body)
    assert isinstance(found, GraphMessage)
    assert (found.template, found.body) == (("sale", "en"), body)


def test_receipts(api: GraphAPI, posted: list[bytes]) -> None:
    """With a typing indicator, or none."""
    api.mark_message_as_read("1", "wamid.1")
    api.set_indicator("1", "wamid.1", "text")
    assert [parse_post(body) for body in posted] == [Receipt(body) for body in posted]
    assert len(posted) == 2
