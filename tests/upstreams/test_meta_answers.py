"""What Meta answers to a message it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.upstreams.meta_answers import Sent, sent
from tests.domain.message_examples import JSON


def test_to_a_phone() -> None:
    """R11: the id, and the pair of what we sent and whom WhatsApp took it for."""
    assert sent(
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": "+5215512345678", "wa_id": "525512345678"}],
            "messages": [{"id": "wamid.HBgL", "message_status": "accepted"}],
        }
    ) == Sent("wamid.HBgL", wa_id="525512345678", input="+5215512345678")


def test_to_a_bsuid() -> None:
    """A send to a BSUID is answered without `wa_id`."""
    assert sent(
        {
            "contacts": [{"input": "SE.1349", "user_id": "SE.1349"}],
            "messages": [{"id": "wamid.A"}],
        }
    ) == Sent("wamid.A", input="SE.1349", user_id="SE.1349")


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "OK",
        [],
        {},
        {"messages": {}, "contacts": None},
        {"messages": [], "contacts": [[]]},
        {"messages": ["wamid"], "contacts": [{"wa_id": 46}]},
        {"messages": [{"id": ""}]},
        {"messages": [{"id": "a\x00"}], "contacts": [{"wa_id": "\ud800"}]},
    ],
)
def test_odd_answers_name_nothing(odd: object) -> None:
    """What is missing, of another type or not storable is None, never an error."""
    assert sent(odd) == Sent(None)


@given(JSON | st.fixed_dictionaries({"messages": st.lists(JSON), "contacts": st.lists(JSON)}))
def test_no_answer_breaks_it(answer: object) -> None:
    """Random JSON is read without a crash."""
    assert isinstance(sent(answer), Sent)
