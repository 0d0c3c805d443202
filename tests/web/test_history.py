"""A contact's history over HTTP: what each entry has, in which order, in pages (SPEC 6, R14)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from optin.domain.events import Kind, Origin
from optin.domain.rfc3339 import parse_time, shown_time
from optin.ports.store import Reads
from tests.stores.works import Do, claim, record
from tests.web.doors import ANNA, BERTIL, BOT, Doors

WORDING = "Yes, send me offers."
SHOWN = {"channel": "web", "wording": WORDING}


async def history(doors: Doors, who: str = ANNA, **query: Any) -> dict[str, Any]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await doors.call("GET", f"/v1/bots/{BOT}/contacts/+{who}/history?{asked}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def consent(doors: Doors, **item: Any) -> None:
    body = {"items": [{"identity": ANNA, "action": "opt_in", **item}]}
    answer = await doors.call(
        "POST", f"/v1/bots/{BOT}/consents", body, headers=[("User-Agent", "shop/1")]
    )
    assert answer.json()["results"][0]["status"] in ("recorded", "ignored")


async def test_an_entry_says_all_that_is_known(doors: Doors) -> None:
    """R14: what, when it happened, was recorded and took effect, by whom, from where, with the
    text that was shown."""
    await consent(
        doors, occurred_at="2026-04-11T09:30:00Z", evidence=SHOWN, categories=["marketing"]
    )
    [event] = (await history(doors))["events"]
    assert event["kind"] == "opt_in"
    assert event["identity"] == f"+{ANNA}"
    assert event["occurred_at"] == event["effective_at"] == "2026-04-11T09:30:00Z"
    assert parse_time(event["recorded_at"], "recorded_at") > parse_time("2026-05-01T00:00:00Z", "")
    assert (event["source"], event["categories"]) == ("native_api", ["marketing"])
    [token] = await doors.store.tokens(BOT)
    assert event["actor"] == token.token_id
    assert event["evidence"] == SHOWN
    assert event["wording_hash"] == hashlib.sha256(WORDING.encode()).hexdigest()
    assert event["context"]["user_agent"] == "shop/1"
    assert event["position"] == {"writer": 0, "commit": 1, "place": 0}
    assert event["erased"] is False


async def test_pages_go_from_new_to_old(doors: Doors) -> None:
    """The last recorded first, whatever their dates; entries that come meanwhile shift no page."""
    for number in range(5):
        await consent(doors, evidence={"n": number}, occurred_at=f"2026-04-{20 - number}T09:00:00Z")
    first = await history(doors, limit=2)
    await consent(doors, evidence={"n": 5})
    second = await history(doors, limit=2, cursor=first["next"])
    third = await history(doors, limit=2, cursor=second["next"])
    told = [[e["evidence"]["n"] for e in page["events"]] for page in (first, second, third)]
    assert told == [[4, 3], [2, 1], [0]]
    assert third["next"] is None
    assert len((await history(doors))["events"]) == 6


async def test_linked_identities_are_one_history(doors: Doors) -> None:
    """R11: all of W, each entry with the identity that it was recorded under."""
    link = claim(Kind.LINKED, ANNA, others=("SE.77",)), claim(Kind.LINKED, "SE.77", others=(ANNA,))
    for each in link:
        await doors.store.commit(_reading_both(each))
    await doors.store.commit(record(claim(Kind.OPT_OUT_KEYWORD, "SE.77"), bot_id=BOT))
    await doors.store.commit(record(claim(Kind.OPT_OUT_KEYWORD, BERTIL), bot_id=BOT))
    events = (await history(doors))["events"]
    assert [e["kind"] for e in events] == ["opt_out_keyword", "linked", "linked"]
    assert {e["identity"] for e in events} == {f"+{ANNA}", "SE.77"}
    assert events[-1]["others"] == ["SE.77"]


def _reading_both(each: Any) -> Any:
    return Do(lambda tx: tx.record(each), Reads(frozenset({ANNA, "SE.77"})), BOT)


async def test_an_erased_contact_has_a_history_of_digests(doors: Doors) -> None:
    """R15: kinds and times stay, evidence and addresses do not; what comes later is whole."""
    await consent(doors, evidence=SHOWN)
    answer = await doors.call("DELETE", f"/v1/bots/{BOT}/contacts/+{ANNA}")
    assert answer.status_code == 200, answer.text
    await consent(doors, evidence={"channel": "shop"})
    later, erasure, erased = (await history(doors))["events"]
    assert (erased["kind"], erased["erased"]) == ("opt_in", True)
    assert (erasure["kind"], erasure["erased"]) == ("erased", False)
    assert ANNA not in str(erased) + str(erasure)
    assert WORDING not in str(erased)
    assert erased["context"] == {}
    assert (later["identity"], later["evidence"]) == (f"+{ANNA}", {"channel": "shop"})
    by_digest = await doors.call("GET", f"/v1/bots/{BOT}/contacts/{erased['identity']}/history")
    kinds = [event["kind"] for event in by_digest.json()["events"]]
    assert kinds == ["opt_in", "erased", "opt_in"]  # heard of again, it leads to what came since


async def test_times_that_nobody_can_write_are_null(doors: Doors) -> None:
    """A signed time can be any number; it is kept, and shown as null."""
    far = claim(Kind.MESSAGE, ANNA, origin=Origin.SIGNED, at=2**61)
    await doors.store.commit(record(far, bot_id=BOT))
    [event] = (await history(doors))["events"]
    assert (event["occurred_at"], event["effective_at"]) == (None, None)
    assert event["recorded_at"] <= shown_time(await doors.store.now())


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=eA=="])
async def test_a_bad_page_is_refused(doors: Doors, query: str) -> None:
    """A limit or cursor that is none is `400`, naming the field."""
    answer = await doors.call("GET", f"/v1/bots/{BOT}/contacts/+{ANNA}/history?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, query.split("=", maxsplit=1)[0])


async def test_whose_history_it_is(doors: Doors) -> None:
    """R1: nobody's is empty; it takes the scope `read`; another bot's token sees nothing."""
    path = f"/v1/bots/{BOT}/contacts/+{ANNA}/history"
    assert (await history(doors))["events"] == []
    assert (await doors.call("GET", path, token=await doors.add_token("send"))).status_code == 403
    assert (await doors.call("GET", path, token=await doors.add_bot("other"))).status_code == 401
    nobody = await doors.call("GET", f"/v1/bots/{BOT}/contacts/12/history")
    assert nobody.json()["code"] == "invalid_identity"
