"""`optin review`, `optin keywords` and `optin webhooks`: what was heard, and how (R10, SPEC 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from optin.ports.store import Store
from optin.settings import load_settings
from optin.upstreams.meta_webhook import sign
from optin.usecases.manage_templates import ManageTemplates
from optin.wiring.opening import opened_store
from tests.cli.program import optin, succeeded
from tests.usecases.hearing import NUMBER, SECRET, body, inbound, text
from tests.usecases.outbox import ADA

UNCLEAR = "Stop sending me the wrong parcels, where is mine?"
PROMISE = "Sale today. Reply BAJA to stop."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    settings = (f"meta.phone_number_id={NUMBER}", f"meta.app_secret={SECRET}")
    given = [part for each in settings for part in ("--set", each)]
    succeeded(tmp_path, "bot", "add", "shop", *given)
    return tmp_path


def hear(folder: Path, content: bytes) -> None:
    """A signed webhook, as the service takes it in."""

    async def heard(store: Store) -> None:
        await inbound(store).receive("shop", content, sign(SECRET, content))

    within(folder, heard)


def put_templates(folder: Path) -> None:
    """One that is in use and one that is not."""
    body = {"type": "body", "text": PROMISE}
    stop = {"type": "button", "text": "Stop"}
    footer = {"type": "footer", "text": "Reply STOP to stop"}

    async def put(store: Store) -> None:
        templates = ManageTemplates(store)
        await templates.put("shop", "sale", "es", "marketing", "APPROVED", [body, footer, stop])
        await templates.put("shop", "old", "es", "marketing", "REJECTED", [body])

    within(folder, put)


def within(folder: Path, work: Callable[[Store], Awaitable[None]]) -> None:
    """With the folder's database open, as the service has it."""

    async def run() -> None:
        given = {"database": f"sqlite:{folder / 'optin.db'}"}
        async with opened_store(load_settings(given, {})) as store:
            await work(store)

    asyncio.run(run())


def test_a_review_is_listed_and_decided_once(folder: Path) -> None:
    """The item with its words; a stop bites at once; the second decision ends with 1."""
    assert "nothing to review" in succeeded(folder, "review", "list", "--bot", "shop").out
    hear(folder, body(messages=[text(UNCLEAR)]))
    [item] = succeeded(folder, "review", "list", "--bot", "shop", "--json").json["reviews"]
    assert (item["kind"], item["identities"], item["text"]) == ("message", [f"+{ADA}"], UNCLEAR)
    assert "Stop sending me" in succeeded(folder, "review", "list", "--bot", "shop").out
    decide = ("review", "decide", "--bot", "shop", item["id"])
    decided = succeeded(folder, *decide, "stop", "--note", "meant it", "--as", "eva", "--json").json
    assert (decided["decision"], decided["decided_by"]) == ("stop", "cli:eva")
    again = optin(folder, *decide, "nothing", "--json")
    assert (again.code, again.json["error"]["code"]) == (1, "conflict")
    rows = succeeded(folder, "check", "--bot", "shop", ADA, "--json").json["results"]
    assert rows[0]["reason"] == "opted_out"
    assert "stop" in succeeded(folder, "review", "list", "--bot", "shop", "--all").out


@pytest.mark.parametrize(
    ("said", "options", "meaning"),
    [
        ("STOP", ["--languages", "en"], "stop"),
        ("BAJA", ["--languages", "en,es"], "stop"),
        ("BAJA", ["--languages", "en"], "none"),
        ("stop promotions", ["--bot", "shop"], "marketing_stop"),
        (UNCLEAR, ["--bot", "shop"], "review"),
        ("end", ["--bot", "shop", "--nanp"], "stop"),
        ("end", ["--bot", "shop", "--nanp", "--reply"], "none"),
    ],
)
def test_a_text_is_tried(folder: Path, said: str, options: list[str], meaning: str) -> None:
    """By a bot's settings or some languages; nothing is written."""
    told = succeeded(folder, "keywords", "test", *options, said, "--json").json
    assert told["intent"] == meaning
    assert succeeded(folder, "keywords", "test", *options, *said.split()).out.startswith(meaning)


def test_a_bots_own_words_are_tried(folder: Path) -> None:
    """What the bot's settings add counts."""
    succeeded(folder, "bot", "set", "shop", "stop_words=No más, enough", "risky_words=cancel")
    for said in ("no mas!", "ENOUGH", "cancel"):
        told = succeeded(folder, "keywords", "test", "--bot", "shop", said, "--json").json
        assert told["intent"] == "stop"


@pytest.mark.parametrize("options", [[], ["--bot", "shop", "--languages", "en"]])
def test_one_of_bot_and_languages(folder: Path, options: list[str]) -> None:
    """Wrong usage ends with 2, an unknown bot with 1."""
    assert optin(folder, "keywords", "test", *options, "x").code == 2
    assert optin(folder, "keywords", "test", "--bot", "nobody", "x").code == 1


def test_promises_that_are_not_heard(folder: Path) -> None:
    """P3: a template that promises a word the bot would not understand is found, in a file too."""
    lint = ("keywords", "lint", "--bot", "shop")
    found = optin(folder, *lint, "--text", PROMISE, "--text", "Reply STOP to stop.", "--json")
    assert found.code == 1
    assert found.json == {"texts": 2, "promises": [{"text": PROMISE, "not_understood": ["BAJA"]}]}
    (folder / "texts").write_text(f"Hello.\n\n{PROMISE}\n", encoding="utf-8")
    told = optin(folder, *lint, "--file", "texts")
    assert (told.code, "BAJA" in told.out) == (1, True)
    succeeded(folder, "bot", "set", "shop", "languages=en,es")
    assert succeeded(folder, *lint, "--file", "texts").code == 0
    assert optin(folder, *lint, "--file", "missing").code == 2


def test_promises_of_the_kept_templates(folder: Path) -> None:
    """Without a text the bot's own templates are read: those that can be sent."""
    lint = ("keywords", "lint", "--bot", "shop")
    assert succeeded(folder, *lint, "--json").json == {"texts": 0, "promises": []}
    put_templates(folder)
    found = optin(folder, *lint, "--json")
    named = {"template": "sale", "language": "es", "part": "body"}
    row = {"text": PROMISE, "not_understood": ["BAJA"], **named}
    assert (found.code, found.json) == (1, {"texts": 3, "promises": [row]})
    told = optin(folder, *lint)
    assert (told.code, "sale (es)" in told.out, "BAJA" in told.out) == (1, True, True)
    succeeded(folder, "bot", "set", "shop", "stop_words=baja")
    assert succeeded(folder, *lint).code == 0
    [one, two] = succeeded(folder, "template", "list", "--bot", "shop", "--json").json["templates"]
    assert one["components"][0] == {"type": "body", "text": PROMISE}
    assert (two["name"], len(two["components"])) == ("sale", 3)


def test_kept_webhooks_are_taken_in_again(folder: Path) -> None:
    """Those with a note by default, all with --all; again and again the same."""
    hear(folder, body(messages=[text("STOP"), {"type": "text"}]))
    replay = ("webhooks", "replay", "--bot", "shop")
    for _ in range(2):
        done = succeeded(folder, *replay, "--json").json
        assert done == {"replayed": 1, "not_understood": 1, "skipped": 0}
    done = succeeded(folder, *replay, "--all", "--json").json
    assert (done["replayed"], done["skipped"]) == (2, 0)
    assert "still not understood" in succeeded(folder, *replay).out
    assert optin(folder, "webhooks", "replay", "--bot", "nobody").code == 1
