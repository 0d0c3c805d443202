"""Consent that expires, and wordings declared outdated, as a bot's settings (R4)."""

from __future__ import annotations

import hashlib

import pytest

from optin.domain import consent
from optin.domain.bots import Bot, checked_settings
from optin.domain.errors import InvalidSetting
from optin.domain.events import DAY
from optin.domain.rfc3339 import parse_time
from tests.domain.histories import event

HASH = hashlib.sha256(b"Yes, write to me").hexdigest()
OTHER = hashlib.sha256(b"Yes, write to me often").hexdigest()
AT = parse_time("2026-11-23T10:00:00Z", "at")


def bot(**settings: str) -> Bot:
    """A bot with checked settings."""
    return Bot("b", checked_settings(settings))


def test_an_outdated_wording_counts_as_none_from_then_on() -> None:
    """R4: until the instant it counts, from it on it does not; another wording does."""
    policy = bot(outdated_wordings=f"{HASH.upper()}@2026-11-23T11:00:00+01:00, {OTHER}").policy
    assert policy.outdated == {HASH: AT, OTHER: -(2**62)}
    given = consent.fold([event("opt_in", 5, wording=HASH)])
    assert consent.opted_in(given, AT - 1, policy)
    assert not consent.opted_in(given, AT, policy)
    assert not consent.opted_in(consent.fold([event("opt_in", 5, wording=OTHER)]), 6, policy)
    assert consent.opted_in(consent.fold([event("opt_in", 5, wording="w")]), AT, policy)


def test_consent_expires_after_its_days() -> None:
    """R4: on the instant it has expired; without the setting it never does."""
    given = consent.fold([event("opt_in", 5)])
    policy = bot(opt_in_days="2").policy
    assert consent.opted_in(given, 5 + 2 * DAY - 1, policy)
    assert not consent.opted_in(given, 5 + 2 * DAY, policy)
    assert consent.opted_in(given, 5 + 2000 * DAY, bot().policy)


@pytest.mark.parametrize("value", ["abc", HASH + "x", HASH + "@soon", HASH + "@2026-11-23"])
def test_what_is_no_wording_is_refused(value: str) -> None:
    """A mistake is told instead of declaring nothing outdated."""
    with pytest.raises(InvalidSetting, match="outdated_wordings"):
        checked_settings({"outdated_wordings": value})
