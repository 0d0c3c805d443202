"""The simulated WhatsApp speaks as Meta does, and stops when told (SPEC 8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import StoreUnavailable
from optin.domain.events import DAY, SECOND
from optin.domain.inbound import InboundMessage, Preference, StatusUpdate
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from optin.upstreams.sandbox import SandboxUpstream
from optin.upstreams.sandbox_webhooks import (
    customer_call,
    customer_message,
    marketing_preference,
    phone_number_id,
)

BOT = Bot("shop")
NOW = 1_795_430_000.75


def message(identity: str = "46701740605") -> OutboxMessage:
    body: dict[str, Any] = {"type": "text", "text": "Hello"}
    return OutboxMessage("shop", "01MESSAGE", identity, body, Category.SERVICE, 0, DAY, 0)


async def granted() -> None:
    """A release that lets the message go."""


class Reports:
    """Takes reports, after `failures` ones that it fails to take."""

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[tuple[Bot, bytes]] = []
        self.failures = failures
        self.tries = 0
        self.arrived = asyncio.Event()

    async def __call__(self, bot: Bot, body: bytes) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise StoreUnavailable("down")
        self.taken.append((bot, body))
        self.arrived.set()

    def updates(self) -> list[StatusUpdate]:
        items = [item for _, body in self.taken for item in parse(body)]
        assert all(isinstance(item, StatusUpdate) for item in items)
        return [item for item in items if isinstance(item, StatusUpdate)]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.taken) < count:
                self.arrived.clear()
                await self.arrived.wait()


def upstream(reports: Reports, *, delay: float = 0.005, tries: int = 5) -> SandboxUpstream:
    return SandboxUpstream(reports, delay, tries, pause=0.005, clock=clock)


def clock() -> float:
    return NOW


@pytest.fixture
async def reports() -> Reports:
    return Reports()


@pytest.mark.parametrize("identity", ["46701740605", "SE.1349120865530274"])
async def test_a_message_is_accepted_and_reported(reports: Reports, identity: str) -> None:
    """Sent, delivered and read follow, in order, under the id of the answer and our own."""
    simulated = upstream(reports)
    accepted = await simulated.hand_over(BOT, message(identity), granted)
    assert isinstance(accepted, Accepted)
    assert accepted.upstream_id.startswith("wamid.SANDBOX")
    assert accepted.wa_id == (identity if identity.isdigit() else "")
    await reports.until(3)
    assert [update.status for update in reports.updates()] == ["sent", "delivered", "read"]
    for update in reports.updates():
        assert update.upstream_id == accepted.upstream_id
        assert (update.correlation, update.identities) == ("01MESSAGE", (identity,))
        assert (update.at, update.unit) == (int(NOW) * SECOND, SECOND)
        assert (update.phone_number_id, update.errors) == ("shop", ())
    assert [bot for bot, _ in reports.taken] == [BOT] * 3
    await simulated.close()


async def test_ids_differ(reports: Reports) -> None:
    """No two messages share an id, not even the same one handed over twice."""
    simulated = upstream(reports)
    outcomes = [await simulated.hand_over(BOT, message(), granted) for _ in range(50)]
    assert len({str(outcome) for outcome in outcomes}) == 50
    await simulated.close()


async def test_a_refusal_sends_nothing(reports: Reports) -> None:
    """What the release raises comes back, and nothing is ever reported."""

    async def refuse() -> None:
        raise StoreUnavailable("down")

    simulated = upstream(reports, delay=0)
    with pytest.raises(StoreUnavailable):
        await simulated.hand_over(BOT, message(), refuse)
    await asyncio.sleep(0.02)
    assert reports.tries == 0
    await simulated.close()


async def test_nothing_is_reported_before_its_delay(reports: Reports) -> None:
    """The answer comes first; each report waits."""
    simulated = upstream(reports, delay=0.1)
    await simulated.hand_over(BOT, message(), granted)
    await asyncio.sleep(0.03)
    assert reports.tries == 0
    await reports.until(1)
    assert reports.tries == 1
    await simulated.close()


async def test_a_failed_report_is_tried_again() -> None:
    """A receiver that is down for a moment misses nothing and sees the order kept."""
    reports = Reports(failures=2)
    simulated = upstream(reports)
    await simulated.hand_over(BOT, message(), granted)
    await reports.until(3)
    assert [update.status for update in reports.updates()] == ["sent", "delivered", "read"]
    await simulated.close()


async def test_a_report_is_dropped_in_the_end() -> None:
    """After its tries a report is given up, and the next one still comes."""
    reports = Reports(failures=2)
    simulated = upstream(reports, tries=2)
    await simulated.hand_over(BOT, message(), granted)
    await reports.until(2)
    assert [update.status for update in reports.updates()] == ["delivered", "read"]
    await simulated.close()


async def test_closing_ends_the_reports(reports: Reports) -> None:
    """After close() no task of the sandbox is left, and nobody is told anything more."""
    before = asyncio.all_tasks()
    simulated = upstream(reports, delay=0.02)
    for _ in range(20):
        await simulated.hand_over(BOT, message(), granted)
    await simulated.close()
    assert asyncio.all_tasks() == before
    await asyncio.sleep(0.05)
    assert reports.tries == 0


async def test_finished_reports_are_forgotten(reports: Reports) -> None:
    """A sandbox that runs for long holds nothing of messages that are done."""
    before = asyncio.all_tasks()
    simulated = upstream(reports, delay=0)
    await simulated.hand_over(BOT, message(), granted)
    await reports.until(3)
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
    assert simulated._reporting == set()
    await simulated.close()


@pytest.mark.parametrize("sender", ["46701740605", "SE.1349120865530274"])
def test_playing_the_customer(sender: str) -> None:
    """A customer's message, by phone or BSUID, reads as one that Meta would post."""
    body = customer_message(BOT, sender, "STOP", 1_795_430_000_999_999, "wamid.1")
    (item,) = parse(body)
    assert isinstance(item, InboundMessage)
    assert (item.identities, item.texts, item.upstream_id) == ((sender,), ("STOP",), "wamid.1")
    assert (item.at, item.unit) == (1_795_430_000 * SECOND, SECOND)
    assert (item.opens_session, item.type) == (True, "text")
    assert item.phone_number_id == phone_number_id(BOT) == "shop"


def test_what_it_signs_is_valid() -> None:
    """A body signed with the bot's app secret passes the webhook's own check."""
    bot = Bot("shop", {"meta.app_secret": "s3cret", "meta.phone_number_id": "PNID1"})
    body = customer_message(bot, "46701740605", "Hi", 0, "wamid.1")
    assert valid_signature("s3cret", body, sign("s3cret", body))
    (item,) = parse(body)
    assert isinstance(item, InboundMessage)
    assert item.phone_number_id == "PNID1"


@pytest.mark.parametrize("value", ["stop", "resume"])
@pytest.mark.parametrize("sender", ["46701740605", "SE.1349120865530274"])
def test_playing_the_customers_choice(sender: str, value: str) -> None:
    """Marketing stopped or resumed reads as the choice that Meta would post (R8)."""
    (item,) = parse(marketing_preference(BOT, sender, value, 1_795_430_000 * SECOND))
    assert isinstance(item, Preference)
    assert (item.identities, item.value, item.category) == ((sender,), value, "marketing_messages")
    assert (item.at, item.phone_number_id) == (1_795_430_000 * SECOND, "shop")


@pytest.mark.parametrize("caller", ["46701740605", "SE.1349120865530274"])
def test_playing_a_call(caller: str) -> None:
    """A call reads as one that the contact started, which opens a session (R9)."""
    (item,) = parse(customer_call(BOT, caller, 1_795_430_000 * SECOND, "call-1"))
    assert isinstance(item, InboundMessage)
    assert (item.identities, item.type, item.opens_session) == ((caller,), "call", True)
