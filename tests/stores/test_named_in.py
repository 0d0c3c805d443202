"""Finding an identity in a body of whatever form (R15)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from optin.stores.erasure import named_in

WHO, BSUID = "46732001122", "SE.13491208655302741918"

NAMED = named_in([WHO, BSUID])


@pytest.mark.parametrize(
    "body",
    [
        WHO,
        f'{{"to":"{WHO}"}}',
        f'{{"to":"+{WHO}"}}',
        f'{{"to":"00{WHO}"}}',
        f'{{"to":"\\u002b{WHO}"}}',
        f'{{"to":"\\u002B{WHO}"}}',
        f'{{"to":"x\\u00e5{WHO}"}}',
        json.dumps({"text": f"call\n{WHO}"}),
        json.dumps({"text": f"call\t{WHO}\nor"}),
        json.dumps({"text": f"call\r\n00{WHO}"}),
        json.dumps(json.dumps({"text": f"call\n{WHO}"})),
        f"from={quote('+' + WHO)}&x=1",
        f"from=call%20{WHO}",
        f"text=a%2b{WHO}%0A",
        f"https:\\/\\/wa.me\\/{WHO}",
        f"wa.me/{WHO}?text=hi",
        f"phone_{WHO}_x",
        f'{{"user_id":"{BSUID}"}}',
        f"user%3D{BSUID}",
    ],
)
def test_a_body_that_names_somebody(body: str) -> None:
    """Behind a JSON or URL escape as behind a plus, two noughts or nothing."""
    assert NAMED.search(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        f"9{WHO}",
        f"{WHO}9",
        f'{{"id":"wamid.HBgN{WHO}FQIA"}}',
        f'{{"id":"n{WHO}"}}',
        f'{{"to":"\\u0039{WHO}"}}',
        f"from=%39{WHO}",
        f"2B{WHO}",
        f"u002b{WHO}",
        f"{BSUID}7",
        f"S{BSUID}",
    ],
)
def test_a_body_that_does_not(body: str) -> None:
    """Within a longer number or word it is somebody else's, also if a digit is escaped."""
    assert not NAMED.search(body.encode())
