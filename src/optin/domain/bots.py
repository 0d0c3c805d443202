"""Bots, their settings and their tokens (SPEC 1, 8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from optin.domain import confirmation_texts
from optin.domain.consent import Policy
from optin.domain.decision import Enforce
from optin.domain.errors import InvalidSetting
from optin.domain.events import DAY
from optin.domain.outdated_wordings import checked_wordings, outdated_wordings

BOT_ID = re.compile(r"[A-Za-z0-9\-_.]{1,64}")

#: Stands for the bot's id where something belongs to the deployment; no bot can have it.
DEPLOYMENT = ""

#: What a token may do (SPEC 6); all of them by default.
SCOPES = ("provision", "send", "read", "admin")


@dataclass(frozen=True)
class Bot:
    """One business sender, the tenant (R1).

    `settings` holds only what was set, as validated strings. Stores encrypt `SECRETS` at rest;
    here they are open, so never print this. Read a value with `value`, which knows the defaults.
    """

    bot_id: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    def value(self, key: str) -> str:
        """The setting's value, or its default; "" where there is none."""
        value = self.settings.get(key)
        return SETTINGS[key].default if value is None else value

    @property
    def region(self) -> str:
        """The region this bot lives in (H4)."""
        return self.value("region")

    @cached_property
    def enforce(self) -> Enforce:
        """How far decisions bite (R7)."""
        return Enforce(self.value("enforce"))

    @cached_property
    def policy(self) -> Policy:
        """What an opt-in is worth to this bot (R4)."""
        days = int(self.value("opt_in_days"))
        return Policy(
            reopt_in_needs_evidence=self.value("reopt_in") == "evidence",
            opt_in_lifetime=days * DAY or None,
            outdated=outdated_wordings(self.value("outdated_wordings")),
        )

    @cached_property
    def route(self) -> Mapping[str, str]:
        """The settings that say which way messages go (H8)."""
        prefix = self.value("upstream") + "."
        return {k: v for k, v in self.settings.items() if k == "upstream" or k.startswith(prefix)}

    @property
    def languages(self) -> tuple[str, ...]:
        """The language packs whose keywords this bot understands (R10)."""
        return tuple(self.value("languages").split(","))

    def words(self, key: str) -> tuple[str, ...]:
        """A setting that is a list of words or phrases (R10)."""
        return tuple(filter(None, self.value(key).split(",")))


def kept_settings(bot: Bot) -> dict[str, str]:
    """What stays of a bot's settings when it is removed: how long its data is kept (R16)."""
    return {key: value for key, value in bot.settings.items() if key.startswith("keep_")}


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is stored (H4): its SHA-256 (32 bytes), never itself.

    `token_id` names it in lists and as an actor; `created` and `revoked` are UTC µs. From `revoked`
    on it is dead; that may lie ahead. `bot_id` is `DEPLOYMENT` for one of those who run the whole.
    """

    digest: bytes
    bot_id: str
    token_id: str
    scopes: frozenset[str]
    created: int
    revoked: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of bot settings. `check` returns the value as it is stored."""

    key: str
    default: str
    check: Callable[[str], str]
    secret: bool = False


def can_name_a_bot(value: str) -> bool:
    """Whether a bot could have this id. What could not is not asked of a database, either."""
    return BOT_ID.fullmatch(value) is not None


def checked_bot_id(value: str) -> str:
    """`value` if it can name a bot, else `InvalidSetting`."""
    if not can_name_a_bot(value):
        raise InvalidSetting(
            "A bot id has 1 to 64 characters of A-Z a-z 0-9 - _ and a dot.", field="bot_id"
        )
    return value


def checked_settings(given: Mapping[str, Any]) -> dict[str, str]:
    """Every setting of `given` checked; `InvalidSetting` names the first that is wrong.

    An empty value takes a setting back to its default and is kept as "" here.
    """
    return {key: _checked(key, value) for key, value in given.items()}


def _checked(key: str, value: Any) -> str:
    setting = SETTINGS.get(key)
    if setting is None:
        raise InvalidSetting(f"There is no bot setting named {key!r}.", field=key)
    if not isinstance(value, str) or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in value):
        raise InvalidSetting(f"Setting {key} takes text without control characters.", field=key)
    try:
        return setting.check(value.strip()) if value.strip() else ""
    except ValueError as wrong:
        raise InvalidSetting(f"Setting {key} {wrong}.", field=key) from None


def _text(value: str) -> str:
    if len(value) > 4096:
        raise ValueError("is longer than 4096 characters")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return value

    return check


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return check


def _languages(value: str) -> str:
    names = [name.strip().lower() for name in value.split(",")]
    if not all(re.fullmatch(r"[a-z]{2,3}", name) for name in names):
        raise ValueError("must be a comma-separated list of language codes such as en,es")
    return ",".join(dict.fromkeys(names))


def _whole_number(low: int, high: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        good = value.isascii() and value.isdigit() and len(value) < 10
        if not good or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return str(int(value))

    return check


def _words(value: str) -> str:
    words = [" ".join(word.split()) for word in value.split(",")]
    if len(words) > 200 or any(len(word) > 60 for word in words):
        raise ValueError("takes up to 200 words or phrases of up to 60 characters, with commas")
    return ",".join(dict.fromkeys(filter(None, words)))


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("must be a URL without user, password or fragment")
    parts.port  # noqa: B018 - raises ValueError for a port that is none
    return value


_NAME = _matching(r"[A-Za-z0-9][A-Za-z0-9\-_.]{0,63}", "a short name of letters and digits")
_ID = _matching(r"[A-Za-z0-9\-_.]{1,128}", "an id of letters, digits, - _ and dots")
_IDS = _matching(r"[A-Za-z0-9.,]{1,4096}", "identities without +, separated by commas")

_TABLE = (
    Setting("region", "", _NAME),
    Setting("name", "", _text),
    Setting("default_country", "", _matching(r"[A-Z]{2}", "a country code such as SE")),
    Setting("languages", "en", _languages),
    Setting("stop_words", "", _words),
    Setting("start_words", "", _words),
    Setting("risky_words", "", _words),
    Setting("review_stop", "no", _one_of("yes", "no")),
    Setting("confirm_opt_out", "", confirmation_texts.checked),
    Setting("enforce", "all", _one_of("all", "opt_outs", "none")),
    Setting("reopt_in", "any", _one_of("any", "evidence")),
    Setting("opt_in_days", "0", _whole_number(0, 36500)),
    Setting("outdated_wordings", "", checked_wordings),
    Setting("optin_response", "empty", _one_of("empty", "rows")),
    Setting("callback_url", "", _url),
    Setting("callback_hmac_key", "", _text, secret=True),
    Setting("callback_signature", "hex", _one_of("hex", "base64")),
    Setting("events_url", "", _url),
    Setting("forward_url", "", _url),
    Setting("keep_webhooks_days", "7", _whole_number(0, 365)),
    Setting("keep_events_days", "0", _whole_number(0, 36500)),
    Setting("keep_messages_days", "0", _whole_number(0, 36500)),
    Setting("upstream", "sandbox", _one_of("sandbox", "meta", "sinch")),
    Setting("meta.phone_number_id", "", _ID),
    Setting("meta.waba_id", "", _ID),
    Setting("meta.access_token", "", _text, secret=True),
    Setting("meta.app_secret", "", _text, secret=True),
    Setting("meta.verify_token", "", _text, secret=True),
    Setting("meta.base_url", "https://graph.facebook.com", _url),
    Setting(
        "meta.api_version", "v25.0", _matching(r"v\d{1,3}\.\d{1,2}", "a version such as v25.0")
    ),
    Setting("meta.messages_per_second", "80", _whole_number(1, 1000)),
    Setting("sinch.project_id", "", _ID),
    Setting("sinch.app_id", "", _ID),
    Setting("sinch.key_id", "", _ID),
    Setting("sinch.key_secret", "", _text, secret=True),
    Setting("sinch.webhook_secret", "", _text, secret=True),
    Setting("sinch.region", "eu", _one_of("us", "eu", "br")),
    Setting("sinch.base_url", "", _url),
    Setting("sinch.auth_url", "https://auth.sinch.com/oauth2/token", _url),
    Setting("sandbox.blocked_by", "", _IDS),
)

#: The bot settings by name (SPEC 8).
SETTINGS: Mapping[str, Setting] = {setting.key: setting for setting in _TABLE}

#: Those that are encrypted at rest and never printed.
SECRETS = frozenset(setting.key for setting in _TABLE if setting.secret)
