"""What is counted is what happened, once, and counting changes nothing (SPEC 6, R4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from optin.domain.bots import Bot
from optin.domain.consent import Clocks
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Claim, Kind, Origin
from optin.domain.links import UNLINKED, Links
from optin.ports.poster import PostFailed
from optin.settings import Settings
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import parse
from optin.wiring.measuring import MeasuredPoster, measured_parse, measured_store
from optin.wiring.opening import opened_store
from optin.wiring.service import running_app
from tests.stores.works import Do, record
from tests.usecases.outbox import new_id
from tests.wiring.test_service import NUMBER, add_bot, becomes_read, client, send, settings

__all__ = ["settings"]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def scraped(
    caller: httpx.AsyncClient,
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of `/metrics`, which must be well-formed."""
    answer = await caller.get("/metrics", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_send_is_counted_on_all_its_way(settings: Settings) -> None:
    """Door, hand-over, commit time and queues of one send stand in `/metrics`, without a token."""
    token = await add_bot(settings)
    async with running_app(settings) as app, client(app, token) as caller:
        before = await scraped(caller)
        message_id = await send(caller)
        async with opened_store(settings) as store:
            assert await becomes_read(store, message_id)
        answer = await caller.post("/v1/bots/shop/check", json={"identities": [NUMBER, "x"]})
        assert answer.status_code == 200
        after = await scraped(caller)

    def grown(name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return after.get(key, 0.0) - before.get(key, 0.0)

    for at in ("send", "hand_over", "check"):
        labels = {"at": at, "passed": "yes", "reason": "opt_in"}
        assert grown("optin_decisions_total", **labels) == 1, at
    assert grown("optin_decisions_total", at="check", passed="no", reason="invalid") == 1
    assert grown("optin_hand_overs_total", outcome="accepted") == 1
    assert grown("optin_commit_seconds_count") >= 4
    for queue in ("messages", "unsettled", "callbacks", "not_understood"):
        assert after["optin_queue_length", (("queue", queue),)] == 0


def opt_in(at: int | None = None, **evidence: str) -> Claim:
    return Claim(new_id(), NUMBER, Kind.OPT_IN, Origin.LIVE, "test", at=at, evidence=evidence)


def out() -> Claim:
    return Claim(new_id(), NUMBER, Kind.OPT_OUT, Origin.LIVE, "test")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([opt_in()], 0),
        ([out(), opt_in()], 1),
        ([out(), opt_in(), opt_in()], 1),
        ([out(), opt_in(form="web")], 0),
        ([out(), opt_in(), out(), opt_in()], 2),
    ],
)
async def test_opt_ins_without_evidence(
    store: SQLiteStore, claims: list[Claim], expected: int
) -> None:
    """R4: an opt-in without evidence that lifts an opt-out counts, each once, and no other."""
    name = "optin_opt_ins_without_evidence_that_lifted_an_opt_out_total"
    measured, before = measured_store(store), value(name)
    for claim in claims:
        await measured.commit(record(claim))
    assert value(name) - before == expected


async def test_work_that_fails_is_not_counted(store: SQLiteStore) -> None:
    """What was recorded by a work that then raised did not happen."""
    name = "optin_opt_ins_without_evidence_that_lifted_an_opt_out_total"
    measured = measured_store(store)
    await measured.commit(record(out()))
    before = value(name)
    claim = opt_in()

    def broken(tx: Any) -> None:
        tx.record(claim)
        raise KeyError("broken")

    with pytest.raises(KeyError):
        await measured.commit(Do(broken, record(claim).reads))
    assert value(name) == before


class Ledger:
    """As much of a transaction as an opt-in needs, with an opt-out in it."""

    now = 1000

    def __init__(self) -> None:
        self.state = Clocks(opt_out_other=10)

    def bot(self) -> Bot:
        return Bot("shop")

    def links(self, identity: str) -> Links:
        return UNLINKED

    def clocks(self, identity: str) -> Clocks:
        return self.state

    def record(self, claim: Claim) -> None:
        self.state = self.state._replace(opt_in=20)


async def test_a_work_that_is_run_twice_counts_once() -> None:
    """A store may run a work again with nothing left of the first time, and so do the counts."""
    name = "optin_opt_ins_without_evidence_that_lifted_an_opt_out_total"

    class Twice:
        async def commit(self, work: Any) -> Any:
            work.run(Ledger())
            return work.run(Ledger())

        def __getattr__(self, name: str) -> Any:
            return None

    before, claim = value(name), opt_in()
    await measured_store(cast(Any, Twice())).commit(Do(lambda tx: tx.record(claim)))
    assert value(name) - before == 1


async def test_a_store_that_fails(store: SQLiteStore) -> None:
    """Failures of the store are counted by call, and raised as they were."""
    measured = measured_store(store)
    await store.close()
    counts: dict[str, Callable[[], Any]] = {
        "commit": lambda: measured.commit(record(out())),
        "read": lambda: measured.read("bot-1", [NUMBER]),
        "lease_messages": lambda: measured.lease_messages("me", 1, 1),
    }
    for call, act in counts.items():
        before = value("optin_store_errors_total", call=call)
        with pytest.raises(StoreUnavailable):
            await act()
        assert value("optin_store_errors_total", call=call) - before == 1


async def test_callbacks() -> None:
    """Posts are counted by the class of their status, or as without an answer."""

    class Receiver:
        async def post(self, url: str, headers: Any, body: bytes) -> int:
            if url == "dead":
                raise PostFailed("dead")
            return int(url)

    poster = MeasuredPoster(Receiver())
    for url, outcome in (("200", "2xx"), ("410", "4xx"), ("dead", "no_answer")):
        before = value("optin_callbacks_total", outcome=outcome)
        try:
            assert await poster.post(url, {}, b"") == int(url)
        except PostFailed:
            assert url == "dead"
        assert value("optin_callbacks_total", outcome=outcome) - before == 1


def test_webhooks_not_understood() -> None:
    """The parts that nobody understood are counted, and the items are the parser's own."""
    before = value("optin_webhook_parts_not_understood_total")
    body = json.dumps({"entry": [{"changes": [{"field": "x", "value": {"y": [1]}}]}]}).encode()
    assert measured_parse(parse)(body) == parse(body)
    assert value("optin_webhook_parts_not_understood_total") - before == 1
