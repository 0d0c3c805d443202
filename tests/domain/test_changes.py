"""What the business is told of a change of consent (SPEC 4, `events_url`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.changes import change_body
from optin.domain.consent import BLANK, Clocks
from optin.domain.events import DAY, SECOND, Claim, Event, Kind, Origin

NOW = 1_800_000_000_000_000
BOT = Bot("shop")
ID = bytes(range(16))


def event(kind: Kind, effective: int | None = NOW, identity: str = "46732001122") -> Event:
    """A recorded event."""
    claim = Claim(ID, identity, kind, Origin.LIVE, "native_api", actor="token-1")
    return Event(claim, NOW, effective)


def told(kind: Kind, before: Clocks, after: Clocks, **more: Any) -> Any:
    """The body as JSON, or None."""
    body = change_body(BOT, event(kind, **more), before, after, 3)
    return None if body is None else json.loads(body)


def test_the_whole_body() -> None:
    """Every member: the contact, the version, the event and the state that it led to."""
    assert told(
        Kind.OPT_OUT, Clocks(opt_in=NOW - 5), Clocks(opt_in=NOW - 5, opt_out_other=NOW)
    ) == {
        "type": "consent",
        "bot_id": "shop",
        "identity": "+46732001122",
        "version": 3,
        "event": {
            "id": ID.hex(),
            "kind": "opt_out",
            "source": "native_api",
            "recorded_at": "2027-01-15T08:00:00Z",
            "effective_at": "2027-01-15T08:00:00Z",
        },
        "state": {"standing": "opted_out", "session_until": None, "marketing_stopped": False},
    }


@pytest.mark.parametrize(
    ("kind", "before", "after", "state"),
    [
        (Kind.OPT_IN, BLANK, Clocks(opt_in=NOW), ("opted_in", False, False)),
        (Kind.MESSAGE, BLANK, Clocks(message=NOW), ("unknown", True, False)),
        (Kind.MARKETING_STOP, BLANK, Clocks(marketing_stop=NOW), ("unknown", False, True)),
        (
            Kind.PROVIDER_MARKETING_RESUME,
            Clocks(provider_marketing_stop=NOW - 1),
            Clocks(provider_marketing_stop=NOW - 1, provider_marketing_resume=NOW),
            ("unknown", False, False),
        ),
        (
            Kind.OPT_OUT_KEYWORD,
            Clocks(message=NOW - 1),
            Clocks(message=NOW - 1, opt_out_keyword=NOW),
            ("opted_out", False, False),
        ),
        (
            Kind.START_WORD,
            Clocks(opt_out_keyword=NOW - 1),
            Clocks(opt_out_keyword=NOW - 1, start_word=NOW),
            ("opted_in", False, False),
        ),
        (
            Kind.MESSAGE,
            Clocks(message=NOW - DAY),
            Clocks(message=NOW),
            ("unknown", True, False),
        ),
    ],
)
def test_what_is_a_change(
    kind: Kind, before: Clocks, after: Clocks, state: tuple[str, bool, bool]
) -> None:
    """Standing, session and marketing: whichever becomes another is told."""
    now = told(kind, before, after)["state"]
    assert (now["standing"], now["session_until"] is not None, now["marketing_stopped"]) == state


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (Kind.OPT_IN, Clocks(opt_in=NOW - 5), Clocks(opt_in=NOW)),
        (Kind.OPT_IN, Clocks(opt_out_other=NOW), Clocks(opt_out_other=NOW, opt_in=NOW - 5)),
        (Kind.OPT_OUT, Clocks(opt_out_other=NOW - 5), Clocks(opt_out_other=NOW)),
        (Kind.MESSAGE, Clocks(message=NOW - DAY + 1), Clocks(message=NOW)),
        (Kind.MESSAGE, BLANK, Clocks(message=NOW - DAY)),
        (Kind.MARKETING_RESUME, BLANK, Clocks(marketing_resume=NOW)),
        (Kind.LINKED, Clocks(opt_in=NOW - 5), Clocks(opt_in=NOW - 5)),
    ],
)
def test_what_is_none(kind: Kind, before: Clocks, after: Clocks) -> None:
    """What leaves the state as it was is not told: repeats, late events, a longer session."""
    assert told(kind, before, after) is None


def test_an_opt_out_in_a_session_ends_it() -> None:
    """The session is over with the opt-out, also if the contact was opted out already (R6)."""
    before = Clocks(opt_out_other=NOW - 9, message=NOW - 5)
    after = before._replace(opt_out_other=NOW)
    assert told(Kind.OPT_OUT, before, after)["state"]["session_until"] is None


@pytest.mark.parametrize("at", [None, -(2**62), 2**62, -(2**56)])
def test_a_time_that_cannot_be_written_is_null(at: int | None) -> None:
    """A provider's time may be any number; the change is told all the same."""
    body = told(Kind.OPT_OUT_KEYWORD, BLANK, Clocks(opt_out_keyword=NOW), effective=at)
    assert body["event"]["effective_at"] is None


def test_a_business_scoped_id_is_shown_as_it_is() -> None:
    """Only phone numbers get a plus."""
    body = told(Kind.OPT_IN, BLANK, Clocks(opt_in=NOW), identity="SE.13491208")
    assert body["identity"] == "SE.13491208"


def test_the_end_of_the_session_is_told() -> None:
    """`session_until` is 24 hours after the message (R5)."""
    body = told(Kind.MESSAGE, BLANK, Clocks(message=NOW - 30 * SECOND))
    assert body["state"]["session_until"] == "2027-01-16T07:59:30Z"
