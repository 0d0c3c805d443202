"""Who is who in Meta's webhooks: changes of number or BSUID, shared numbers, pairs (R11)."""

from __future__ import annotations

from typing import Any

import pytest

from optin.domain.events import SECOND
from optin.domain.inbound import IdentityChange, InboundMessage, Item, NotUnderstood, StatusUpdate
from optin.upstreams.meta_webhook import parse
from tests.upstreams.meta_bodies import (
    AT,
    BSUID,
    CONTACT,
    METADATA,
    NUMBER,
    PHONE,
    body,
    change,
    message,
    one,
    value,
)

NEW = "46709998877"


def only(content: bytes) -> Item:
    (item,) = parse(content)
    return item


def system(kind: str, **more: Any) -> dict[str, Any]:
    return message("system", {"type": kind, "body": "STOP", **more})


@pytest.mark.parametrize(
    ("item", "old", "new"),
    [
        (
            system("user_changed_number", wa_id=NEW, user_id="SE.n", previous_user_id="SE.o"),
            (PHONE, "SE.o"),
            (NEW, "SE.n"),
        ),
        (system("customer_changed_number", new_wa_id=NEW), (PHONE,), (NEW,)),
        (system("user_changed_number", wa_id=NEW, customer=PHONE), (PHONE,), (NEW,)),
        (system("user_changed_number"), (PHONE,), ()),
        (
            system(
                "user_changed_user_id",
                user_id="SE.n",
                previous_user_id="SE.o",
                parent_user_id="SE.ENT.n",
                previous_parent_user_id="SE.ENT.o",
            )
            | {"from": None, "from_user_id": "SE.n"},
            ("SE.o", "SE.ENT.o"),
            ("SE.n", "SE.ENT.n"),
        ),
        (system("user_changed_number", wa_id=f"+{NEW}", user_id=["x"]), (PHONE,), (NEW,)),
    ],
)
def test_a_change(item: dict[str, Any], old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """The sender and the previous ids are old, unless they are named as new ones."""
    assert only(one(item)) == IdentityChange(NUMBER, old, new, AT * SECOND)


@pytest.mark.parametrize(
    "item",
    [
        system("customer_identity_changed", identity={"hash": "x"}),
        system("something_new", wa_id=NEW),
        system("user_changed_number", wa_id=NEW) | {"group_id": "G1"},
        message("text", system={"type": "user_changed_number", "wa_id": NEW}),
    ],
)
def test_no_change(item: dict[str, Any]) -> None:
    """A new phone under the same number, other system messages and groups change nobody."""
    assert isinstance(only(one(item)), InboundMessage)


def test_a_change_of_nobody_is_kept() -> None:
    """Without an old identity there is nothing to end; the message is kept to be looked at."""
    item = system("user_changed_number", wa_id=NEW) | {"from": None}
    assert isinstance(only(one(item)), NotUnderstood)


def test_an_update_in_the_earlier_shape() -> None:
    """`user_id_update` was announced and withdrawn; where it comes it counts."""
    told = {
        "wa_id": PHONE,
        "user_id": {"previous": "SE.o", "current": "SE.n"},
        "parent_user_id": {"previous": "SE.ENT.o", "current": "SE.ENT.n"},
        "timestamp": str(AT),
    }
    content = body(change(value(user_id_update=[told]), "user_id_update"))
    assert only(content) == IdentityChange(
        NUMBER, ("SE.o", "SE.ENT.o"), ("SE.n", "SE.ENT.n"), AT * SECOND
    )


@pytest.mark.parametrize(
    ("card", "shared"),
    [
        ({"origin": "contact_request", "phones": [{"wa_id": PHONE, "phone": "x"}]}, (PHONE,)),
        ({"origin": "contact_request", "phones": [{"phone": "+46 701-740 605"}]}, (PHONE,)),
        ({"origin": "contact_request", "phones": [{"phone": "call me"}, 7, None]}, ()),
        ({"origin": "contact_request", "phones": "x"}, ()),
        ({"origin": "contact_request"}, ()),
        ({"origin": "other", "vcard": "BEGIN", "phones": [{"wa_id": PHONE}]}, ()),
        ({"phones": [{"wa_id": PHONE}]}, ()),
        ("x", ()),
    ],
)
def test_a_shared_number(card: Any, shared: tuple[str, ...]) -> None:
    """Only the button that asks for it proves the sender's own number; a card may be anybody's."""
    item = message("contacts", [card]) | {"from": None, "from_user_id": BSUID}
    read = only(one({k: v for k, v in item.items() if v is not None}))
    assert isinstance(read, InboundMessage)
    assert (read.identities, read.shared, read.opens_session) == ((BSUID,), shared, True)


def test_a_status_with_its_contacts() -> None:
    """What a status does not name itself its contacts do, matched by a shared identity."""
    given = {"id": "wamid.B", "status": "read", "timestamp": str(AT), "recipient_user_id": BSUID}
    read = only(one(given, "statuses", contacts=[CONTACT]))
    assert isinstance(read, StatusUpdate)
    assert read.identities == (BSUID, PHONE)


def test_a_status_of_a_call_says_nothing() -> None:
    """Ringing and being accepted are no states of a message."""
    given = {"id": "wacid.C", "type": "call", "status": "RINGING", "recipient_id": PHONE}
    assert parse(one(given, "statuses")) == ()


def test_who_has_the_thread_says_nothing() -> None:
    """Handovers between people and Meta's agent are known and change nothing."""
    told = {"messaging_product": "whatsapp", "control_passed": {}, "metadata": METADATA}
    assert parse(body(change(told, "messaging_handovers"))) == ()


def test_what_is_kept_names_its_people() -> None:
    """A part that was not understood keeps the contacts, so that it can be read later."""
    kept = only(one({"from": PHONE, "type": "text"}, contacts=[CONTACT]))
    assert isinstance(kept, NotUnderstood)
    assert BSUID.encode() in kept.raw
    many = [CONTACT | {"wa_id": str(n)} for n in range(21)]
    kept = only(one({"from": PHONE, "type": "text"}, contacts=many))
    assert isinstance(kept, NotUnderstood)
    assert BSUID.encode() not in kept.raw
