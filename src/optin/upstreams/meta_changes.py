"""Meta's word that a person has a new number or BSUID (R11): system messages and their like.

The old number is the message's sender, the old BSUID a member of its own (before August 2026 it
stood in the text only, so it may be missing). When in doubt an identity is an old one: then what
it gave counts for nobody, and its stops go with the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optin.domain.inbound import IdentityChange
from optin.upstreams.meta_items import Contacts, Unreadable, identity_of, moment
from optin.upstreams.provider_json import at

_CHANGES = frozenset({"user_changed_number", "user_changed_user_id", "customer_changed_number"})

_NEW = ("wa_id", "new_wa_id", "user_id", "parent_user_id")
_OLD = ("customer", "previous_wa_id", "previous_user_id", "previous_parent_user_id")
_SENDER = ("from", "from_user_id", "from_parent_user_id")


def is_change(item: Any) -> bool:
    """Whether this message tells of a change; `customer_identity_changed` is none (a new phone,
    the same number)."""
    kind = at(item, "system", "type")
    told = isinstance(kind, str) and kind in _CHANGES
    return at(item, "type") == "system" and told and at(item, "group_id") is None


def change(item: Any, number: str) -> IdentityChange:
    """The change that a system message tells of."""
    told = at(item, "system")
    return _change(
        number,
        old=(*_named(item, _SENDER), *_named(told, _OLD)),
        new=_named(told, _NEW),
        time=at(item, "timestamp"),
    )


def user_id_update(item: Any, number: str, _: Contacts) -> IdentityChange:
    """The same in the shape of an earlier notice: `user_id` with `previous` and `current`.

    A number beside it is left out: nobody says whether it is the old one or the new.
    """
    told = [at(item, name) for name in ("user_id", "parent_user_id")]
    return _change(
        number,
        old=[one for each in told for one in _named(each, ("previous",))],
        new=[one for each in told for one in _named(each, ("current",))],
        time=at(item, "timestamp"),
    )


def _change(number: str, *, old: Iterable[str], new: Iterable[str], time: Any) -> IdentityChange:
    now = tuple(dict.fromkeys(new))
    before = tuple(one for one in dict.fromkeys(old) if one not in now)
    if not before:
        raise Unreadable("a change of identity that names no old one")
    happened, unit = moment(time)
    return IdentityChange(number, old=before, new=now, at=happened, unit=unit)


def _named(item: Any, names: Iterable[str]) -> list[str]:
    found = (identity_of(at(item, name)) for name in names)
    return [identity for identity in found if identity]
