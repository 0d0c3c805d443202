"""The simulated WhatsApp fails on demand as Meta does (SPEC 8): a table of digits and outcomes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from optin.domain.bots import Bot, checked_settings
from optin.domain.errors import InvalidSetting
from optin.domain.inbound import StatusUpdate
from optin.ports.upstream import Accepted, Failed, Retry, Unknown
from optin.upstreams.meta_webhook import parse
from optin.upstreams.sandbox_script import SCRIPTS
from tests.upstreams.test_sandbox import BOT, Reports, granted, message, upstream

#: digits -> the outcome of the first try, the code in it, and what is reported afterwards.
TABLE: dict[str, tuple[type[Any], str, tuple[str, ...]]] = {
    "0000": (Accepted, "", ("sent", "delivered", "read")),
    "0001": (Accepted, "", ("failed 131026",)),
    "0002": (Failed, "131050", ()),
    "0003": (Accepted, "", ("failed 131049",)),
    "0004": (Failed, "131047", ()),
    "0005": (Retry, "130429", ()),
    "0006": (Retry, "131056", ()),
    "0007": (Retry, "190", ()),
    "0008": (Unknown, "", ("sent", "delivered", "read")),
    "0009": (Unknown, "", ()),
    "0010": (Failed, "132001", ()),
    "0011": (Accepted, "", ("sent", "delivered", "read")),
    "0012": (Accepted, "", ("sent",)),
    "0013": (Accepted, "", ("failed 131050",)),
}


def told(reports: Reports) -> tuple[str, ...]:
    """The statuses that were reported, with the codes of their errors."""
    items = [item for _, body in reports.taken for item in parse(body)]
    return tuple(
        " ".join([item.status, *(str(error.code) for error in item.errors)])
        for item in items
        if isinstance(item, StatusUpdate)
    )


def test_the_table_is_complete() -> None:
    """Every script has its row here."""
    assert set(TABLE) == {"0000", *SCRIPTS}


@pytest.mark.parametrize("digits", [each for each in TABLE if each != "0011"])
async def test_digits_decide(digits: str) -> None:
    """The answer is judged as Meta's would be, and the right reports follow."""
    kind, code, expected = TABLE[digits]
    reports = Reports()
    simulated = upstream(reports)
    outcome = await simulated.hand_over(BOT, message(f"4670174{digits}"), granted)
    assert isinstance(outcome, kind)
    if code:
        assert str(getattr(outcome, "details", "")).startswith(f"{code}: Simulated: ")
    assert getattr(outcome, "marketing_stop", False) is (digits == "0002")
    await reports.until(len(expected))
    await asyncio.gather(*simulated._reporting)
    assert told(reports) == expected


@pytest.mark.parametrize(("digits", "refusals"), [("0005", 2), ("0006", 1)])
async def test_what_passes_has_passed_after_some_tries(digits: str, refusals: int) -> None:
    """A rate limit ends: the next try is taken."""
    simulated = upstream(Reports())
    for attempts in range(refusals + 1):
        tried = replace(message(f"4670174{digits}"), attempts=attempts)
        outcome = await simulated.hand_over(BOT, tried, granted)
        assert isinstance(outcome, Retry if attempts < refusals else Accepted)
    await simulated.close()


async def test_a_slow_answer_is_slow() -> None:
    """The answer of ...0011 takes five seconds, after the release."""
    simulated = upstream(Reports())
    begun = time.monotonic()
    outcome = await simulated.hand_over(BOT, message("46701740011"), granted)
    assert isinstance(outcome, Accepted)
    assert 4.9 < time.monotonic() - begun < 15
    await simulated.close()


@pytest.mark.parametrize("identity", ["46701740605", "SE.1349120865530274"])
async def test_who_blocked_the_business_gets_nothing(identity: str) -> None:
    """Accepted, sent, never delivered; another customer is not concerned."""
    bot = Bot("shop", {"sandbox.blocked_by": f"46701740699,{identity}"})
    reports = Reports()
    simulated = upstream(reports)
    assert isinstance(await simulated.hand_over(bot, message(identity), granted), Accepted)
    await asyncio.gather(*simulated._reporting)
    assert told(reports) == ("sent",)
    await simulated.hand_over(bot, message("46701740606"), granted)
    await reports.until(4)
    await simulated.close()


def test_the_setting_is_a_list_of_identities() -> None:
    """`sandbox.blocked_by` takes nothing else."""
    good = {"sandbox.blocked_by": "46701740605,SE.1349120865530274"}
    assert checked_settings(good) == good
    with pytest.raises(InvalidSetting):
        checked_settings({"sandbox.blocked_by": "+46 701"})


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        ("46701131053", Retry, "131053"),
        ("46701132016", Failed, "132016"),
        ("46701130005", Retry, "130429"),  # the table comes first
        ("46701131999", Accepted, ""),
    ],
)
async def test_a_number_may_end_in_a_code(number: str, kind: type[Any], code: str) -> None:
    """Each error that we know can be had by the number that ends in its code."""
    outcome = await upstream(Reports()).hand_over(BOT, message(number), granted)
    assert isinstance(outcome, kind)
    assert getattr(outcome, "details", "").startswith(code)
