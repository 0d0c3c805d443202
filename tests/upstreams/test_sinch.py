"""Every outcome of a hand-over to the Conversation API, against a strict simulated one (H8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from optin.domain.bots import Bot
from optin.domain.errors import StoreUnavailable
from optin.domain.events import DAY, SECOND
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted, Failed, Fault, Outcome, Retry, Unknown
from optin.upstreams.connecting import LONGEST_ANSWER, Answer, ReleasingClient
from optin.upstreams.sinch import SinchUpstream, base_url, outcome
from tests.upstreams import conversation_api
from tests.upstreams.cloud_api import Behaviour, answering, breaking_off, hanging, saying
from tests.upstreams.conversation_api import EXPIRED, KEY_SECRET, ConversationApi, sinch_error
from tests.upstreams.test_sinch_messages import SENT

TEXT = {"type": "text", "text": "Your parcel is here.", "preview_url": False}
NOW = 1_795_430_000.0
DENIED = Retry("no access token: the access key is refused (401)", 60 * SECOND, Fault.SENDER)


class Released:
    """A release that counts its calls, and looks at what had been asked for by then."""

    def __init__(self, api: ConversationApi) -> None:
        self._api = api
        self.calls = 0
        self.tokens_then = -1

    async def __call__(self) -> None:
        self.calls += 1
        self.tokens_then = self._api.asked_for_tokens


class Ticking:
    """A monotonic clock that the test sets, seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def api() -> AsyncIterator[ConversationApi]:
    async with conversation_api.conversation_api() as api:
        yield api


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
async def upstream(ticking: Ticking) -> AsyncIterator[SinchUpstream]:
    client = ReleasingClient(connect_timeout=2, total_timeout=0.5)
    upstream = SinchUpstream(client, lambda: NOW, ticking)
    yield upstream
    await upstream.close()


def bot(api: ConversationApi, **changes: str) -> Bot:
    changed = {f"sinch.{key}": value for key, value in changes.items()}
    return Bot("shop", api.settings | changed)


def message(
    body: dict[str, Any] = TEXT,
    identity: str = "46701740605",
    category: Category = Category.SERVICE,
) -> OutboxMessage:
    return OutboxMessage("shop", "01MESSAGE", identity, body, category, 0, DAY, 0)


async def handed_over(upstream: SinchUpstream, api: ConversationApi, **changes: str) -> Outcome:
    released = Released(api)
    result = await upstream.hand_over(bot(api, **changes), message(), released)
    assert released.calls == 1
    return result


@pytest.mark.parametrize("body", SENT.values(), ids=SENT)
@pytest.mark.parametrize("identity", ["46701740605", "SE.1349120865530274"])
async def test_every_type_is_taken(
    upstream: SinchUpstream, api: ConversationApi, body: dict[str, Any], identity: str
) -> None:
    """Each type of H9 passes the strict API, by phone and by BSUID, with our id as correlation."""
    released = Released(api)
    result = await upstream.hand_over(bot(api), message(body, identity), released)
    assert api.objections == []
    assert result == Accepted("01MSG1")
    assert released.calls == 1
    (taken,) = api.taken
    assert taken["correlation_id"] == "01MESSAGE"
    assert taken["recipient"]["identified_by"]["channel_identities"][0]["identity"] == identity


async def test_the_category_goes_along(upstream: SinchUpstream, api: ConversationApi) -> None:
    """The category that the message is judged by is what Sinch is told."""
    marketing = message(category=Category.MARKETING)
    await upstream.hand_over(bot(api), marketing, Released(api))
    assert api.taken[0]["message_content_type"] == "CONTENT_MARKETING"


async def test_the_api_is_strict(upstream: SinchUpstream, api: ConversationApi) -> None:
    """The simulated API refuses another key, project and app, so the tests above mean it."""
    for wrong in ({"key_secret": "x"}, {"project_id": "p-2"}, {"app_id": "02APP"}):
        result = await upstream.hand_over(bot(api, **wrong), message(), Released(api))
        assert not isinstance(result, Accepted)
    assert api.taken == []


@pytest.mark.parametrize("key", ["project_id", "app_id", "key_id", "key_secret"])
async def test_without_its_settings_nothing_is_released(
    upstream: SinchUpstream, api: ConversationApi, key: str
) -> None:
    """A missing setting fails the message before token, judgement and connection (R12)."""
    released = Released(api)
    result = await upstream.hand_over(bot(api, **{key: ""}), message(), released)
    assert result == Failed(f"setting sinch.{key} is missing")
    assert (released.calls, api.asked_for_tokens, api.taken) == (0, 0, [])


@pytest.mark.parametrize("body", [{"type": "fax"}, {"type": "sticker", "id": "7301"}])
async def test_what_cannot_be_said_fails(
    upstream: SinchUpstream, api: ConversationApi, body: dict[str, Any]
) -> None:
    """A stored body that is no message, or none that this API has, is never released."""
    released = Released(api)
    result = await upstream.hand_over(bot(api), message(body), released)
    assert isinstance(result, Failed)
    assert (released.calls, api.asked_for_tokens) == (0, 0)


@pytest.mark.parametrize("region", ["us", "eu", "br"])
def test_each_region_has_its_host(region: str) -> None:
    """The region must match the app; a base URL of the bot's own goes before it."""
    settings = {"sinch.region": region}
    assert base_url(Bot("b", settings)) == f"https://{region}.conversation.api.sinch.com"
    own = settings | {"sinch.base_url": "https://gateway.example/"}
    assert base_url(Bot("b", own)) == "https://gateway.example"


async def test_a_refusal_passes_through(upstream: SinchUpstream, api: ConversationApi) -> None:
    """What the release raises comes back, and the API hears nothing of the message."""

    async def refuse() -> None:
        raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await upstream.hand_over(bot(api), message(), refuse)
    assert (api.taken, api.objections) == ([], [])


async def test_nobody_there_is_tried_again(upstream: SinchUpstream, api: ConversationApi) -> None:
    """Without a connection there is no release, and the message may go later."""
    released = Released(api)
    gone = bot(api, base_url="http://127.0.0.1:1")
    result = await upstream.hand_over(gone, message(), released)
    assert isinstance(result, Retry)
    assert (result.fault, released.calls) == (Fault.PROVIDER, 0)


# --- the token ------------------------------------------------------------------------------------


async def test_the_token_is_in_hand_before_the_release(
    upstream: SinchUpstream, api: ConversationApi
) -> None:
    """H8: between judgement and the first byte nothing is asked of anybody."""
    released = Released(api)
    await upstream.hand_over(bot(api), message(), released)
    assert released.tokens_then == 1


async def test_a_token_is_kept_and_renewed_before_its_end(
    upstream: SinchUpstream, api: ConversationApi, ticking: Ticking
) -> None:
    """One token serves until a minute before its end, then a new one is asked for."""
    for passed, asked in ((0, 1), (3539, 1), (2, 2), (3539, 2), (2, 3)):
        ticking.now += passed
        assert isinstance(await handed_over(upstream, api), Accepted)
        assert api.asked_for_tokens == asked


@pytest.mark.parametrize(("life", "good_for"), [(60, 30), (10, 5), (3600, 3540), (10**9, 86_340)])
async def test_a_tokens_life(
    upstream: SinchUpstream, api: ConversationApi, ticking: Ticking, life: int, good_for: float
) -> None:
    """Short tokens serve half their life, and none is believed for longer than a day."""
    api.life = life
    await handed_over(upstream, api)
    ticking.now += good_for - 1
    await handed_over(upstream, api)
    assert api.asked_for_tokens == 1
    ticking.now += 1
    await handed_over(upstream, api)
    assert api.asked_for_tokens == 2


@pytest.mark.parametrize("life", [None, "3600", 0, -5, True])
async def test_a_token_without_a_readable_life_serves_once(
    upstream: SinchUpstream, api: ConversationApi, life: Any
) -> None:
    """It is used, and asked for again next time."""
    api.life = life
    for asked in (1, 2):
        assert isinstance(await handed_over(upstream, api), Accepted)
        assert api.asked_for_tokens == asked


async def test_all_who_wait_get_one_token(upstream: SinchUpstream, api: ConversationApi) -> None:
    """Single flight: twenty messages at once ask for one token."""
    results = await asyncio.gather(*(handed_over(upstream, api) for _ in range(20)))
    assert all(isinstance(result, Accepted) for result in results)
    assert api.asked_for_tokens == 1


async def test_who_asks_may_give_up(upstream: SinchUpstream, api: ConversationApi) -> None:
    """A cancelled hand-over that was asking for the token leaves the others their turn."""
    started, gate = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        started.set()
        api.authority = None
        await gate.wait()
        return await api.token(request)

    api.authority = slow
    first = asyncio.create_task(handed_over(upstream, api))
    await started.wait()
    second = asyncio.create_task(handed_over(upstream, api))
    await asyncio.sleep(0)
    first.cancel()
    assert isinstance(await second, Accepted)
    gate.set()


async def test_bots_do_not_share_tokens(upstream: SinchUpstream, api: ConversationApi) -> None:
    """A token belongs to one access key: another bot's key gets none of it."""
    await handed_over(upstream, api)
    other = await upstream.hand_over(bot(api, key_id="key-2"), message(), Released(api))
    assert other == DENIED


async def test_a_denied_key_waits_and_asks_rarely(
    upstream: SinchUpstream, api: ConversationApi, ticking: Ticking
) -> None:
    """A refused access key sends nothing, waits its minute, and does not beset the authority."""
    api.authority = answering({"error": "invalid_client"}, 401)
    for _ in range(3):
        released = Released(api)
        result = await upstream.hand_over(bot(api), message(), released)
        assert result == DENIED
        assert released.calls == 0
    assert api.asked_for_tokens == 1
    api.authority = None
    ticking.now += 61
    assert isinstance(await handed_over(upstream, api), Accepted)


@pytest.mark.parametrize(
    "authority",
    [
        saying("<h1>Oops</h1>", 502),
        answering({"error": "slow down"}, 429),
        answering({"expires_in": 3600}),
        answering({"access_token": 5, "expires_in": 3600}),
        answering({"access_token": "a\r\nX-Evil: 1", "expires_in": 3600}),
        answering([]),
        saying("[" * 50_000, 200),
        saying("", 302),
        hanging,
        breaking_off,
    ],
)
async def test_an_authority_in_trouble(
    upstream: SinchUpstream, api: ConversationApi, ticking: Ticking, authority: Behaviour
) -> None:
    """Without a readable token nothing is released; it is asked again after a moment."""
    api.authority = authority
    released = Released(api)
    result = await upstream.hand_over(bot(api), message(), released)
    assert isinstance(result, Retry)
    assert (result.after, result.fault) == (None, Fault.PROVIDER)
    assert (released.calls, api.taken) == (0, [])
    assert await upstream.hand_over(bot(api), message(), released) == result
    assert api.asked_for_tokens == 1
    api.authority = None
    ticking.now += 2.5
    assert isinstance(await handed_over(upstream, api), Accepted)


async def test_an_expired_token_is_replaced_once(
    upstream: SinchUpstream, api: ConversationApi, ticking: Ticking
) -> None:
    """A token that has expired early is replaced for the next try, which is judged anew; if the
    new one is called expired, too, somebody has to look."""
    await handed_over(upstream, api)
    ticking.now += 600
    api.good_tokens.clear()
    api.behaviour = None
    expired = Behaviours(api, EXPIRED)
    with expired:
        assert await handed_over(upstream, api) == Retry("status 401: UNAUTHENTICATED: Because.", 0)
    assert isinstance(await handed_over(upstream, api), Accepted)
    assert api.asked_for_tokens == 2
    with expired:
        result = await handed_over(upstream, api)
    assert result == Retry("status 401: UNAUTHENTICATED: Because.", 60 * SECOND, Fault.SENDER)


class Behaviours:
    """While it is entered the API answers every message so, whatever its token."""

    def __init__(self, api: ConversationApi, behaviour: Behaviour) -> None:
        self._api, self._behaviour = api, behaviour

    def __enter__(self) -> None:
        self._good = set(self._api.good_tokens)
        self._api.good_tokens = Everything()
        self._api.behaviour = self._behaviour

    def __exit__(self, *_: object) -> None:
        self._api.good_tokens = self._good
        self._api.behaviour = None


class Everything(set[str]):
    """Holds every token."""

    def __contains__(self, token: object) -> bool:
        return True


@pytest.mark.parametrize("status", [401, 403])
async def test_without_permission_the_message_waits(
    upstream: SinchUpstream, api: ConversationApi, status: int
) -> None:
    """A refused token or a missing right is mended by people: a minute's wait, nothing lost."""
    api.behaviour = answering(sinch_error(status, "NO"), status)
    result = await handed_over(upstream, api)
    assert result == Retry(f"status {status}: NO: Because.", 60 * SECOND, Fault.SENDER)


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 402, 404, 405, 412, 413, 422])
async def test_a_client_error_fails(
    upstream: SinchUpstream, api: ConversationApi, status: int
) -> None:
    """Sinch says that the request is wrong: certainly not taken, and never will be."""
    api.behaviour = answering(sinch_error(status, "INVALID_ARGUMENT", "No template."), status)
    details = f"status {status}: INVALID_ARGUMENT: No template."
    assert await handed_over(upstream, api) == Failed(details)


async def test_a_client_error_without_words_fails(
    upstream: SinchUpstream, api: ConversationApi
) -> None:
    """A 404 of something that is not Sinch (a wrong base URL) is certain, and final."""
    api.behaviour = saying("<h1>Not here</h1>", 404)
    assert await handed_over(upstream, api) == Failed("status 404")


@pytest.mark.parametrize("body", [sinch_error(429, "RESOURCE_EXHAUSTED"), {}, "slow down"])
async def test_too_many_requests_waits_as_told(
    upstream: SinchUpstream, api: ConversationApi, body: Any
) -> None:
    """A 429 with `Retry-After` waits that long, whether or not the body is Sinch's."""
    api.behaviour = answering(body, 429, Retry_After="7")
    result = await handed_over(upstream, api)
    assert isinstance(result, Retry)
    assert result.after == 7 * SECOND


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("120", 120 * SECOND),
        ("9" * 5000, DAY),
        ("soon", None),
        ("", None),
        ("Mon, 23 Nov 2026 11:14:20 GMT", 60 * SECOND),
        ("Mon, 23 Nov 2026 10:00:00 -0000", 0),
    ],
)
def test_retry_after(header: str, after: int | None) -> None:
    """Seconds or a date, at most a day; what cannot be read leaves it to our schedule."""
    now = 1_795_432_400.0  # 2026-11-23T11:13:20Z
    assert outcome(Answer(429, {"retry-after": header}, b""), now) == Retry("status 429", after)


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        pytest.param(answering(sinch_error(500, "INTERNAL"), 500), 500, id="500 of Sinch's"),
        pytest.param(answering(sinch_error(503, "UNAVAILABLE"), 503), 503, id="503 of Sinch's"),
        pytest.param(saying("<h1>Oops</h1>", 502), 502, id="502 html"),
        pytest.param(answering(sinch_error(409, "ABORTED"), 409), 409, id="conflict"),
        pytest.param(saying("", 408), 408, id="request time-out"),
        pytest.param(saying("", 302), 302, id="redirect"),
        pytest.param(answering({"ok": True}), 200, id="200 nonsense"),
        pytest.param(answering([]), 200, id="200 list"),
        pytest.param(answering({"message_id": ""}), 200, id="200 with an empty id"),
        pytest.param(answering({"message_id": 5}), 200, id="200 with a number as id"),
        pytest.param(saying('{"message_id":"01M', 200), 200, id="200 half JSON"),
        pytest.param(saying("[" * 50_000, 200), 200, id="200 nested endlessly"),
        pytest.param(saying(" " * LONGEST_ANSWER + "{}", 200), 200, id="200 too long"),
        pytest.param(answering({"message_id": "01M"}, 502), 502, id="502 with an id"),
    ],
)
async def test_what_is_not_certain_is_unknown(
    upstream: SinchUpstream, api: ConversationApi, behaviour: Behaviour, status: int
) -> None:
    """It may have been taken, so it is never sent again; a server's fault says nothing either."""
    api.behaviour = behaviour
    result = await handed_over(upstream, api)
    assert isinstance(result, Unknown)
    assert result.details.startswith(f"status {status}")
    assert len(api.taken) == 1


@pytest.mark.parametrize("behaviour", [hanging, breaking_off])
async def test_no_whole_answer_is_unknown(
    upstream: SinchUpstream, api: ConversationApi, behaviour: Behaviour
) -> None:
    """A time-out or a connection lost after the first byte is unknown, and sent once."""
    await handed_over(upstream, api)
    api.behaviour = behaviour
    assert isinstance(await handed_over(upstream, api), Unknown)
    assert len(api.taken) == 2


async def test_no_outcome_shows_a_secret(upstream: SinchUpstream, api: ConversationApi) -> None:
    """Details go to the business and to logs; neither token nor access key ever does."""
    shown = []
    for behaviour in (saying("x", 500), answering(sinch_error(400, "NO"), 400), hanging):
        api.behaviour = behaviour
        shown.append(repr(await handed_over(upstream, api)))
    api.behaviour, api.authority = None, answering({"error": "invalid_client"}, 401)
    shown.append(repr(await upstream.hand_over(bot(api, key_id="x"), message(), Released(api))))
    assert not any("token-" in text or KEY_SECRET in text for text in shown)
