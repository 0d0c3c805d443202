"""Every outcome of a hand-over to the Cloud API, against a strict simulated one (H8)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import StoreUnavailable
from optin.domain.events import DAY, SECOND
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted, Failed, Fault, Outcome, Retry, Unknown
from optin.upstreams.connecting import LONGEST_ANSWER, Answer, ReleasingClient
from optin.upstreams.meta import MetaUpstream, outcome
from optin.upstreams.meta_errors import ERRORS
from tests.upstreams import cloud_api
from tests.upstreams.cloud_api import (
    CloudApi,
    answering,
    breaking_off,
    graph_error,
    hanging,
    saying,
)

TEXT = {"type": "text", "text": "Your parcel is here.", "preview_url": False}
BODIES: dict[str, dict[str, Any]] = {
    "text": TEXT,
    "template": {
        "type": "template",
        "template_name": "order_ready",
        "language": "en_US",
        "body_params": ["Ada", "42"],
        "media": {"type": "document", "url": "https://cdn.example/a.pdf", "filename": "a.pdf"},
        "buttons": [
            {"type": "url", "parameter": "t/42"},
            {"type": "call"},
            {"type": "quick_reply", "payload": "STOP_MARKETING"},
        ],
    },
    "template with a text header": {
        "type": "template",
        "template_name": "order_ready",
        "header_params": ["Ada"],
    },
    "image": {"type": "image", "url": "https://cdn.example/a.jpg", "caption": "Menu"},
    "video": {"type": "video", "url": "https://cdn.example/a.mp4"},
    "document": {"type": "document", "url": "https://cdn.example/a.pdf", "filename": "a.pdf"},
    "audio": {"type": "audio", "url": "https://cdn.example/a.ogg"},
    "sticker": {"type": "sticker", "id": "sticker-1"},
    "location": {"type": "location", "lat": 55.6, "lng": 13, "name": "Desk", "address": "Street"},
    "contacts": {
        "type": "contacts",
        "contacts": [
            {"name": {"formatted_name": "Ada"}, "phones": [{"phone": "+46701740605"}]},
        ],
    },
    "buttons": {
        "type": "interactive",
        "message": {
            "type": "button",
            "header": {"type": "image", "url": "https://cdn.example/a.jpg"},
            "body": {"text": "Keep them?"},
            "footer": {"text": "Shop"},
            "action": {"buttons": [{"type": "reply", "id": "y", "title": "Yes"}]},
        },
    },
    "list": {
        "type": "interactive",
        "message": {
            "type": "list",
            "body": {"text": "Which?"},
            "action": {
                "button": "Choose",
                "sections": [{"title": "All", "rows": [{"id": "1", "title": "One"}]}],
            },
        },
    },
}


class Released:
    """A release that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
async def api() -> AsyncIterator[CloudApi]:
    async with cloud_api.cloud_api() as api:
        yield api


@pytest.fixture
async def upstream() -> AsyncIterator[MetaUpstream]:
    upstream = MetaUpstream(ReleasingClient(connect_timeout=2, total_timeout=0.5))
    yield upstream
    await upstream.close()


def bot(api: CloudApi, **changes: str) -> Bot:
    settings = {
        "meta.base_url": api.base_url,
        "meta.phone_number_id": cloud_api.NUMBER,
        "meta.access_token": cloud_api.TOKEN,
    }
    changed = {f"meta.{key}": value for key, value in changes.items()}
    return Bot("shop", settings | changed)


def message(body: dict[str, Any] = TEXT, identity: str = "46701740605") -> OutboxMessage:
    return OutboxMessage("shop", "01MESSAGE", identity, body, Category.SERVICE, 0, DAY, 0)


async def handed_over(upstream: MetaUpstream, api: CloudApi) -> Outcome:
    released = Released()
    result = await upstream.hand_over(bot(api), message(), released)
    assert released.calls == 1
    return result


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("identity", ["46701740605", "SE.1349120865530274", "SE.ENT.abc9"])
async def test_every_type_is_taken(
    upstream: MetaUpstream, api: CloudApi, body: dict[str, Any], identity: str
) -> None:
    """Each type of H9 passes the strict API, by phone and by BSUID, with our id as correlation."""
    released = Released()
    result = await upstream.hand_over(bot(api), message(body, identity), released)
    assert api.objections == []
    assert result == Accepted("wamid.1", identity if identity.isdigit() else "")
    assert released.calls == 1
    (taken,) = api.taken
    assert taken["biz_opaque_callback_data"] == "01MESSAGE"
    assert taken["to" if identity.isdigit() else "recipient"].removeprefix("+") == identity


async def test_the_api_is_strict(upstream: MetaUpstream, api: CloudApi) -> None:
    """The simulated API refuses another token, number and version, so the tests above mean it."""
    for wrong in ({"access_token": "x"}, {"phone_number_id": "PNID2"}, {"api_version": "v24.0"}):
        result = await upstream.hand_over(bot(api, **wrong), message(), Released())
        assert not isinstance(result, Accepted)
    assert api.taken == []


@pytest.mark.parametrize(
    "change",
    [
        {"messaging_product": "sms"},
        {"recipient_type": "group"},
        {"to": "46701740605"},
        {"recipient": "SE.1"},
        {"type": "fax"},
        {"unknown": 1},
        {"text": {}},
        {"text": {"body": "x", "link": "y"}},
    ],
)
def test_the_api_objects(change: dict[str, Any]) -> None:
    """The simulated API finds what Meta would find."""
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+46701740605",
        "type": "text",
        "text": {"body": "x"},
    }
    assert cloud_api.complaint(body) is None
    assert cloud_api.complaint(body | change) is not None


@pytest.mark.parametrize("key", ["phone_number_id", "access_token"])
async def test_without_its_settings_nothing_is_released(
    upstream: MetaUpstream, api: CloudApi, key: str
) -> None:
    """A missing setting fails the message before judgement and connection (R12)."""
    released = Released()
    result = await upstream.hand_over(bot(api, **{key: ""}), message(), released)
    assert result == Failed(f"setting meta.{key} is missing")
    assert (released.calls, api.taken) == (0, [])


async def test_a_broken_message_fails(upstream: MetaUpstream, api: CloudApi) -> None:
    """A stored body that is no message is never released."""
    released = Released()
    result = await upstream.hand_over(bot(api), message({"type": "fax"}), released)
    assert isinstance(result, Failed)
    assert released.calls == 0


async def test_a_refusal_passes_through(upstream: MetaUpstream, api: CloudApi) -> None:
    """What the release raises comes back, and the API hears nothing."""

    async def refuse() -> None:
        raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await upstream.hand_over(bot(api), message(), refuse)
    assert (api.taken, api.objections) == ([], [])


async def test_nobody_there_is_tried_again(upstream: MetaUpstream, api: CloudApi) -> None:
    """Without a connection there is no release, and the message may go later."""
    released = Released()
    gone = bot(api, base_url="http://127.0.0.1:1")
    assert isinstance(await upstream.hand_over(gone, message(), released), Retry)
    assert released.calls == 0


@pytest.mark.parametrize("code", ERRORS)
async def test_each_error_code(upstream: MetaUpstream, api: CloudApi, code: int) -> None:
    """Each code of the table ends as the table says; only 131050 is a marketing stop."""
    api.behaviour = answering(graph_error(code, "Because."), 400)
    result = await handed_over(upstream, api)
    action = ERRORS[code][0].value
    if action in {"retry", "retry_pair", "retry_slowly", "circuit_break"}:
        waits = {"retry": None, "retry_pair": 6 * SECOND}
        fault = Fault.SENDER if action == "circuit_break" else Fault.NONE
        assert result == Retry(f"{code}: Because.", waits.get(action, 60 * SECOND), fault)
    else:
        assert result == Failed(f"{code}: Because.", marketing_stop=code == 131050)


async def test_an_error_counts_whatever_the_status(upstream: MetaUpstream, api: CloudApi) -> None:
    """Graph's error with 500 or 200 still says that nothing was sent; code decides."""
    for status in (200, 500, 503):
        api.behaviour = answering(graph_error(131000), status)
        assert isinstance(await handed_over(upstream, api), Retry)


@pytest.mark.parametrize("code", [1, 2, 131016])
async def test_a_fault_of_the_providers_own_is_unknown(
    upstream: MetaUpstream, api: CloudApi, code: int
) -> None:
    """H8: Meta does not say of these that nothing was sent, so with a 5xx it is not sent again;
    with a 4xx Graph refused the request as it was."""
    for status in (500, 503):
        api.behaviour = answering(graph_error(code, "Down."), status)
        assert await handed_over(upstream, api) == Unknown(f"{code}: Down.")
    api.behaviour = answering(graph_error(code, "Down."), 400)
    assert isinstance(await handed_over(upstream, api), Retry)


@pytest.mark.parametrize(
    ("code", "transient", "expected"),
    [(999_999, True, Retry), (999_999, False, Failed), (299, False, Retry)],
)
async def test_unknown_codes(
    upstream: MetaUpstream, api: CloudApi, code: int, transient: bool, expected: type
) -> None:
    """A code nobody knows fails unless Graph calls it transient; 200-299 are permissions."""
    api.behaviour = answering(graph_error(code, is_transient=transient), 400)
    assert isinstance(await handed_over(upstream, api), expected)


@pytest.mark.parametrize("body", [graph_error(130429), {}, "slow down"])
async def test_too_many_requests_waits_as_told(
    upstream: MetaUpstream, api: CloudApi, body: Any
) -> None:
    """A 429 with `Retry-After` waits that long, whether or not the body is Graph's."""
    api.behaviour = answering(body, 429, Retry_After="7")
    result = await handed_over(upstream, api)
    assert isinstance(result, Retry)
    assert result.after == 7 * SECOND


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        pytest.param(saying("<h1>Oops</h1>", 500), 500, id="500 html"),
        pytest.param(saying("<h1>Oops</h1>", 502), 502, id="502 html"),
        pytest.param(answering({"error": "no object"}, 500), 500, id="500 unreadable error"),
        pytest.param(answering({"error": {"code": "x"}}, 500), 500, id="500 error without code"),
        pytest.param(answering({"ok": True}), 200, id="200 nonsense"),
        pytest.param(answering([]), 200, id="200 list"),
        pytest.param(answering({"messages": []}), 200, id="200 without a message"),
        pytest.param(answering({"messages": [{"id": ""}]}), 200, id="200 with an empty id"),
        pytest.param(answering({"messages": [{"id": 5}]}), 200, id="200 with a number as id"),
        pytest.param(saying('{"messages":[{"id":"wam', 200), 200, id="200 half JSON"),
        pytest.param(saying("[" * 50_000, 200), 200, id="200 nested endlessly"),
        pytest.param(saying(" " * LONGEST_ANSWER + "{}", 200), 200, id="200 too long"),
        pytest.param(answering({"messages": [{"id": "wamid.1"}]}, 502), 502, id="502 with an id"),
        pytest.param(saying("", 302), 302, id="redirect"),
        pytest.param(saying("", 408), 408, id="request time-out"),
    ],
)
async def test_what_cannot_be_read_is_unknown(
    upstream: MetaUpstream, api: CloudApi, behaviour: cloud_api.Behaviour, status: int
) -> None:
    """Neither a message id nor Graph's error: it may have been taken, and is never sent again."""
    api.behaviour = behaviour
    expected = Unknown(f"status {status} without an answer of Graph's")
    assert await handed_over(upstream, api) == expected
    assert len(api.taken) == 1


@pytest.mark.parametrize("behaviour", [hanging, breaking_off])
async def test_no_whole_answer_is_unknown(
    upstream: MetaUpstream, api: CloudApi, behaviour: cloud_api.Behaviour
) -> None:
    """A time-out or a connection lost after the first byte is unknown, and sent once."""
    api.behaviour = behaviour
    assert isinstance(await handed_over(upstream, api), Unknown)
    assert len(api.taken) == 1


async def test_a_client_error_without_graph_fails(upstream: MetaUpstream, api: CloudApi) -> None:
    """A 404 of something that is not Graph (a wrong base URL) is certain, and final."""
    api.behaviour = saying("<h1>Not here</h1>", 404)
    assert isinstance(await handed_over(upstream, api), Failed)


NOW = 1_795_430_000.0


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("120", 120 * SECOND),
        ("0", 0),
        ("9" * 5000, DAY),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("Tue, 01 Dec 2026 12:00:00 GMT", DAY),
        ("Mon, 23 Nov 2026 11:14:20 GMT", 60 * SECOND),
        ("Mon, 23 Nov 2026 10:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 11:14:20 -0000", 60 * SECOND),
        ("\u0661", None),
    ],
)
def test_retry_after(header: str, after: int | None) -> None:
    """Seconds or a date, at most a day; what cannot be read leaves it to our schedule."""
    now = 1_795_432_400.0  # 2026-11-23T11:13:20Z
    answer = Answer(429, {"retry-after": header}, b"")
    assert outcome(answer, now) == Retry("status 429 without an answer of Graph's", after)


def test_retry_after_never_shortens_our_own_wait() -> None:
    """A bot whose access is broken waits its minute, whatever the header says."""
    content = json.dumps(graph_error(190)).encode()
    result = outcome(Answer(429, {"retry-after": "1"}, content), NOW)
    assert isinstance(result, Retry)
    assert result.after == 60 * SECOND


async def test_no_outcome_shows_the_token(upstream: MetaUpstream, api: CloudApi) -> None:
    """Details go to the business and to logs; the access token never does."""
    behaviours = [saying("x", 500), answering(graph_error(190), 401), hanging, breaking_off]
    for behaviour in behaviours:
        api.behaviour = behaviour
        assert cloud_api.TOKEN not in repr(await handed_over(upstream, api))
