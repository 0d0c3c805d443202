"""What every store promises of its counts (SPEC 6)."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from optin.domain import consent
from optin.domain.consent import Policy
from optin.domain.decision import Reason
from optin.domain.events import DAY, SECOND, Kind, Origin
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Store
from tests.stores.contract.conftest import Clock
from tests.stores.contract.test_erasure import PEOPLE, _random_claims
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

POLICIES = (
    Policy(),
    Policy(reopt_in_needs_evidence=True),
    Policy(opt_in_lifetime=60 * SECOND),
    Policy(outdated={"w": 1_800_000_000_000_000 + 200 * SECOND}),
)


@pytest.mark.parametrize("seed", range(10))
async def test_standings_are_counted_as_the_rules_have_them(
    store: Store, clock: Clock, seed: int
) -> None:
    """R4, R5, R8: the counts are those of the domain, each identity by its own clocks."""
    chance = random.Random(seed)
    for _ in range(40):
        clock.now += chance.randrange(20) * SECOND
        await store.commit(record(*_random_claims(chance, clock.now)))
    states = (await store.states(BOT, PEOPLE)).states
    own = [states[who].clocks for who in PEOPLE if states[who].version]
    for policy in POLICIES:
        told = (await store.stats(BOT, clock.now, policy)).contacts
        yes = [c for c in own if consent.opted_in(c, clock.now, policy)]
        out = [c for c in own if c not in yes and consent.newest_opt_out(c) != consent.NEVER]
        assert (told.identities, told.opted_in, told.opted_out) == (len(own), len(yes), len(out))
        assert told.in_session == sum(consent.session_until(c, clock.now) is not None for c in own)
        assert told.marketing_stopped == sum(map(consent.marketing_stopped, own))


async def test_days_count_what_was_recorded_and_sent(store: Store, clock: Clock) -> None:
    """A day for each with anything, oldest first; other bots and older days do not count."""
    begun = clock.now // DAY
    for kinds in ((Kind.OPT_IN, Kind.OPT_IN), (), (Kind.OPT_OUT, Kind.MESSAGE)):
        for kind in kinds:
            at = None if kind is not Kind.MESSAGE else clock.now
            origin = Origin.LIVE if at is None else Origin.SIGNED
            await store.commit(record(claim(kind, origin=origin, at=at)))
            await store.commit(record(claim(Kind.OPT_IN), bot_id=OTHER_BOT))
        clock.now += DAY
    await store.commit(Do(_send))
    days = (await store.stats(BOT, clock.now - 3 * DAY, Policy())).days
    told = [(day.day - begun, dict(day.events), dict(day.messages)) for day in days]
    assert told[0] == (0, {"opt_in": 2}, {})
    assert told[1][0] == 2
    assert Counter(told[1][1])["opt_out"] == 1
    assert told[2] == (3, {}, {"no_opt_in": 1, "queued": 1})
    assert days[2].refused == {"opted_out": 1}
    later = (await store.stats(BOT, clock.now, Policy())).days
    assert [day.day - begun for day in later] == [3]


def _send(tx):  # type: ignore[no-untyped-def]
    for number, reason in enumerate((None, Reason.OPTED_OUT)):
        tx.put_message(
            OutboxMessage(
                bot_id=BOT,
                message_id=f"7{number}",
                identity=WHO,
                body={"type": "text"},
                category=Category.SERVICE,
                created=tx.now,
                expires=tx.now,
                due=tx.now,
                state=MessageState.QUEUED if reason is None else MessageState.NO_OPT_IN,
                reason=reason,
                passed=reason is None,
            )
        )
