"""The Graph face: what is passed on unjudged, and what is not (SPEC 7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from optin.web.graph_files import CutOff
from tests.conftest import OpenStore
from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION
from tests.upstreams.graph_api import FILE, FLOW, FOREIGN_WABA, MEDIA, WABA, as_bytes
from tests.web.graph_face import ROOT, Face, error, open_face

OWN = "http://optin.test"


@pytest_asyncio.fixture
async def face(open_store: OpenStore) -> AsyncIterator[Face]:
    async with open_face(open_store) as opened:
        yield opened


async def test_a_receipt_is_passed_on(face: Face) -> None:
    """Byte for byte, though nobody opted in to anything."""
    body = as_bytes({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.å"})
    answer = await face.call("POST", f"{NUMBER}/messages", content=body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert face.api.receipts == [body]


async def test_a_receipt_for_marketing_is_none(face: Face) -> None:
    """That path takes messages only."""
    body = as_bytes({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"})
    answer = await face.call("POST", f"{NUMBER}/marketing_messages", content=body)
    assert error(answer)[:2] == (400, 3)
    assert face.api.receipts == []


async def test_an_upload_is_passed_through(face: Face) -> None:
    """The whole form, larger than any message may be."""
    answer = await face.doors.client.post(
        f"{ROOT}/{NUMBER}/media",
        headers={"Authorization": f"Bearer {face.doors.token}"},
        data={"messaging_product": "whatsapp"},
        files={"file": ("a.bin", FILE * 10, "image/jpeg")},
    )
    assert answer.json() == {"id": MEDIA}
    assert face.api.uploads == [{"messaging_product": b"whatsapp", "file": FILE * 10}]
    plain = await face.call("POST", f"{NUMBER}/media", body={"file": "x"})
    assert error(plain)[:2] == (400, 100)


async def test_a_file_is_told_of_and_downloaded_through_here(face: Face) -> None:
    """Meta's address wants Meta's token; ours wants the bot's, and gives the same bytes."""
    answer = await face.call("GET", MEDIA)
    url = answer.json()["url"]
    assert url == f"{OWN}/graph/{VERSION}/{MEDIA}/content"
    assert answer.json()["sha256"] == "ab"
    file = await face.doors.call("GET", url)
    assert (file.content, file.headers["content-type"]) == (FILE, "image/jpeg")
    assert error(await face.doors.call("GET", url, token=""))[:2] == (401, 190)


async def test_a_file_that_breaks_off_has_one_answer(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came is out already: the server cuts the connection, and says nothing more."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(FILE)
        await response.prepare(request)
        await response.write(FILE[:1000])
        assert request.transport is not None
        request.transport.close()
        return response

    monkeypatch.setattr(face.api, "_file", cut)
    with pytest.raises(CutOff):
        await face.call("GET", f"{MEDIA}/content")


async def test_only_files_of_this_number_are_served(face: Face) -> None:
    """The number always goes along, whatever the caller asks for."""
    await face.call("GET", f"{MEDIA}?phone_number_id=PNID9&fields=owner&method=delete")
    assert face.api.heard == [("GET", f"/{VERSION}/{MEDIA}?phone_number_id={NUMBER}")]


async def test_a_file_is_deleted(face: Face) -> None:
    """Once it is known to be a file."""
    answer = await face.call("DELETE", MEDIA)
    assert answer.json() == {"success": True}
    assert [method for method, _ in face.api.heard] == ["GET", "DELETE"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_id_of_something_else_is_refused(face: Face, method: str) -> None:
    """A draft flow, say, which Graph would delete just so."""
    assert error(await face.call(method, FLOW))[:2] == (400, 3)
    assert [method for method, _ in face.api.heard] == ["GET"]


async def test_an_unknown_id_is_metas_own_answer(face: Face) -> None:
    """Handed back as it is."""
    answer = await face.call("GET", "111")
    assert (answer.status_code, answer.json()["error"]["error_subcode"]) == (400, 33)


async def test_templates_are_read_page_by_page_through_here(face: Face) -> None:
    """Meta's addresses of further pages hold its token: it never leaves."""
    first = await face.call("GET", f"{WABA}/message_templates?limit=1&access_token_=x")
    assert first.json()["data"] == [{"name": "order_ready"}]
    following = first.json()["paging"]["next"]
    assert following == f"{OWN}/graph/{VERSION}/{WABA}/message_templates?limit=1&after=QVFI"
    assert TOKEN not in first.text
    second = await face.doors.call("GET", following)
    assert "next" not in second.json()["paging"]
    asked = [path for _, path in face.api.heard]
    assert asked[1:] == [
        f"/{VERSION}/{WABA}/message_templates?limit=1",
        f"/{VERSION}/{WABA}/message_templates?limit=1&after=QVFI",
    ]


async def test_templates_of_another_account_are_not_served(face: Face) -> None:
    """The upstream's token may be good for many businesses."""
    answer = await face.call("GET", f"{FOREIGN_WABA}/message_templates")
    assert error(answer)[:2] == (400, 100)
    assert "message_templates" not in str(face.api.heard)


async def test_the_number_is_read(face: Face) -> None:
    """Its own fields only; and not even an answer that quotes the token gives it away."""
    answer = await face.call("GET", f"{NUMBER}?fields=verified_name,quality_rating&x=1")
    assert answer.json() == {"id": NUMBER, "verified_name": "Shop", "said": ""}
    assert face.api.heard[0][1].endswith(f"/{NUMBER}?fields=verified_name,quality_rating")
    nested = await face.call("GET", f"{NUMBER}?fields=owner{{access_token}}")
    assert error(nested)[:2] == (400, 100)


@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("POST", NUMBER),
        ("POST", f"{NUMBER}/register"),
        ("POST", f"{NUMBER}/block_users"),
        ("POST", f"{NUMBER}/groups"),
        ("GET", f"{NUMBER}/messages"),
        ("DELETE", NUMBER),
        ("PUT", f"{NUMBER}/messages"),
        ("HEAD", NUMBER),
        ("POST", f"{WABA}/message_templates"),
        ("DELETE", f"{WABA}/message_templates"),
        ("GET", f"{WABA}/phone_numbers"),
        ("GET", "me"),
        ("GET", "oauth/access_token"),
        ("POST", ""),
        ("GET", "%2e%2e"),
    ],
)
async def test_all_else_is_refused(face: Face, method: str, tail: str) -> None:
    """And nothing reaches the provider."""
    answer = await face.call(method, tail, body={} if method == "POST" else None)
    assert answer.status_code == 400
    if method != "HEAD":
        assert error(answer)[:2] == (400, 3)
    assert face.api.heard == []


async def test_an_unversioned_path_is_refused(face: Face) -> None:
    """The version is part of every path."""
    answer = await face.doors.call("GET", f"/graph/{NUMBER}")
    assert error(answer)[:2] == (400, 3)


async def test_a_provider_that_is_away_is_told_of(face: Face) -> None:
    """131016 with 503, as for messages."""
    await face.set(meta__base_url="http://127.0.0.1:1")
    calls: list[Any] = [("GET", NUMBER), ("GET", MEDIA), ("GET", f"{MEDIA}/content")]
    for method, tail in calls:
        assert error(await face.call(method, tail))[:2] == (503, 131016)
