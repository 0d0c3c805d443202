"""What a bot still needs for its upstream."""

from __future__ import annotations

import pytest

from optin.domain.bots import SETTINGS, Bot
from optin.domain.completeness import missing

META = {"meta.phone_number_id": "1", "meta.access_token": "t", "meta.app_secret": "s"}
SINCH = dict.fromkeys(
    ("sinch.project_id", "sinch.app_id", "sinch.key_id", "sinch.key_secret"), "x"
) | {"sinch.webhook_secret": "s"}


@pytest.mark.parametrize(("upstream", "needed"), [("meta", META), ("sinch", SINCH)])
def test_each_needed_setting_is_named(upstream: str, needed: dict[str, str]) -> None:
    """R12: complete, nothing is missing; without any one of them, that one."""
    whole = {"upstream": upstream, **needed}
    assert missing(Bot("b", whole)) == {}
    assert list(missing(Bot("b", {"upstream": upstream}))) == list(needed)
    for key in needed:
        assert key in SETTINGS
        assert list(missing(Bot("b", {**whole, key: ""}))) == [key]


def test_the_sandbox_needs_nothing() -> None:
    """SPEC 8: everything works without an account."""
    assert missing(Bot("b")) == {}
