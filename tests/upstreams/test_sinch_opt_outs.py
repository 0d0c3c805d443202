"""Opt-outs at Sinch count for whoever messages are sent to, however Sinch writes them (H3, R11)."""

from __future__ import annotations

import pytest

from optin.domain.inbound import InboundMessage, ProviderConsent
from optin.upstreams.sinch_webhook import parse
from tests.upstreams.sinch_events import ADA, body_of, consent, inbound


@pytest.mark.parametrize(
    ("given", "identities"),
    [
        (ADA, (ADA,)),
        ("+" + ADA, (ADA,)),
        ("+46 70 174 06 05", ("+46 70 174 06 05", ADA)),
        ("46-701740605", ("46-701740605", ADA)),
        ("00" + ADA, ("00" + ADA, ADA)),
        ("4407400123456", ("4407400123456", "447400123456")),
        ("0701740605", ("0701740605",)),
        ("SE.1349120865530274", ("SE.1349120865530274",)),
    ],
)
def test_an_opt_out_counts_for_the_number_too(given: str, identities: tuple[str, ...]) -> None:
    """As it came, and as the number that we send to, if it can be read as one."""
    [item] = parse(body_of(consent("opt_out", "OPT_OUT_SUCCEEDED", identity=given)))
    assert isinstance(item, ProviderConsent)
    assert item.identities == identities


def test_an_opt_in_counts_for_what_came() -> None:
    """What allows is not spread to anybody else."""
    given = "+46 70 174 06 05"
    [item] = parse(body_of(consent("opt_in", "OPT_IN_SUCCEEDED", identity=given)))
    assert isinstance(item, ProviderConsent)
    assert item.identities == (given,)


@pytest.mark.parametrize("kind", ["opt_in", "opt_out"])
@pytest.mark.parametrize("channel", ["whatsapp", "WhatsApp"])
def test_the_case_of_a_channel(kind: str, channel: str) -> None:
    """A channel's name is one in whatever case."""
    [item] = parse(body_of(consent(kind, f"{kind.upper()}_SUCCEEDED", channel=channel)))
    assert isinstance(item, ProviderConsent)


def test_the_case_of_a_messages_channel() -> None:
    """A STOP on `whatsapp` is heard, and anything else there opens a session."""
    said = {"text_message": {"text": "STOP"}}
    who = {"channel": "whatsapp", "identity": ADA}
    [item] = parse(body_of(inbound(said, channel_identity=who)))
    assert isinstance(item, InboundMessage)
    assert (item.texts, item.opens_session) == (("STOP",), True)
