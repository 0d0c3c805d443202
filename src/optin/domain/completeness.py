"""Settings that a bot's upstream cannot do without, and what happens until they are set (R12)."""

from __future__ import annotations

from collections.abc import Mapping

from optin.domain.bots import Bot

_NOTHING_SENT = "nothing is sent"
_NOTHING_HEARD = "no webhook is believed, so no opt-out is heard"

#: Upstream -> setting -> what its absence means.
_NEEDED: Mapping[str, Mapping[str, str]] = {
    "meta": {
        "meta.phone_number_id": "nothing is sent, and webhooks are kept without effect: "
        "no opt-out is heard",
        "meta.access_token": _NOTHING_SENT,
        "meta.app_secret": _NOTHING_HEARD,
    },
    "sinch": {
        "sinch.project_id": _NOTHING_SENT,
        "sinch.app_id": _NOTHING_SENT,
        "sinch.key_id": _NOTHING_SENT,
        "sinch.key_secret": _NOTHING_SENT,
        "sinch.webhook_secret": _NOTHING_HEARD,
    },
}


def missing(bot: Bot) -> Mapping[str, str]:
    """The settings that the bot still needs for its upstream, with what happens until then."""
    needed = _NEEDED.get(bot.value("upstream"), {})
    return {key: until for key, until in needed.items() if not bot.value(key)}
