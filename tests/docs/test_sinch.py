"""docs/sinch.md says what becomes of each message, and what is refused."""

from __future__ import annotations

import re

from optin.domain.messages import MessageType
from tests.docs.pages import rows, section, text_of
from tests.upstreams.test_sinch_messages import REFUSED

TABLE = rows(section(text_of("docs/sinch.md"), "## What messages become"))


def test_every_type_has_its_row() -> None:
    """H9: the table speaks of every type of message, once."""
    told = [name for row in TABLE for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(MessageType)


def test_what_is_refused_is_told() -> None:
    """Every field that a test sees refused stands in the row of its type, and none besides."""
    told = {
        name: set(re.findall(r"`(\w+)`", row[2].replace("an `id` instead of a", "")))
        for row in TABLE
        for name in re.findall(r"`(\w+)`", row[0])
    }
    told = {name: fields - {"media"} for name, fields in told.items()}
    refused: dict[str, set[str]] = {}
    for message, field in REFUSED:
        name = field.rpartition(".")[2]
        refused.setdefault(message["type"], set()).add(re.sub(r"\[\d+\]", "", name))
    refused["contacts"].discard("contacts")  # "more than one contact"
    refused["video"] = refused["document"] = refused["image"]
    assert {name: fields for name, fields in told.items() if fields} == refused
