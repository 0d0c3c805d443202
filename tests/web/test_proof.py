"""A contact's evidence pack over HTTP: what is in it, and what the page makes of hostile text."""

from __future__ import annotations

import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from optin.usecases import prove
from tests.web.doors import ANNA, BERTIL, BOT, Doors

PROOF = f"/v1/bots/{BOT}/contacts/+{ANNA}/proof"
HOSTILE = '</style><script>alert("x")</script><img src=x onerror=alert(1)> & "quoted" \u202etxt'
WORDING = f"Yes, send me offers. {HOSTILE}"


async def lived(doors: Doors) -> None:
    """Opted in with a wording, sent to, refused, opted out; and somebody else in between."""
    await doors.services.manage_templates.put(BOT, "ready", "en", "utility")
    evidence = {"channel": HOSTILE, "wording": WORDING, "language": "en", HOSTILE: [HOSTILE]}
    items = [
        {"identity": ANNA, "action": "opt_in", "categories": ["utility"], "evidence": evidence},
        {"identity": BERTIL, "action": "opt_in"},
    ]
    for body, path in (
        ({"items": items}, f"/v1/bots/{BOT}/consents"),
        (_template(ANNA), f"/whatsapp/v1/{BOT}/messages"),
        (_template(BERTIL), f"/whatsapp/v1/{BOT}/messages"),
        ({"numbers": [ANNA]}, f"/whatsapp/v1/{BOT}/provision/optout"),
        (_template(ANNA), f"/whatsapp/v1/{BOT}/messages"),
    ):
        answer = await doors.call("POST", path, body, headers=[("User-Agent", HOSTILE[:40])])
        assert answer.status_code in (200, 201), answer.text


def _template(to: str) -> dict[str, Any]:
    message = {"type": "template", "template_name": "ready", "language": "en"}
    return {"to": [to], "message": message}


async def test_a_pack_has_it_all(doors: Doors) -> None:
    """Who, what they were shown, what was sent because of it, who was refused; nobody else's."""
    await lived(doors)
    pack = (await doors.call("GET", PROOF)).json()
    assert pack["contact"]["state"] == "opted_out"
    assert [event["kind"] for event in pack["events"]] == ["opt_in", "opt_out"]
    assert pack["events"][0]["evidence"]["wording"] == WORDING
    assert [(m["passed"], m["basis"], m["reason"]) for m in pack["messages"]] == [
        (True, "opt_in", None),
        (False, None, "opted_out"),
    ]
    assert BERTIL not in str(pack)
    assert pack["chain"]["sound"]
    assert pack["chain"]["whole"]
    assert len(pack["chain"]["leaves"][0]["events"]) == 2


async def test_the_standards_terms(doors: Doors) -> None:
    """ISO/IEC TS 27560: purposes, notice, states; what is not known is not made up."""
    await lived(doors)
    told = (await doors.call("GET", PROOF)).json()["consent_record"]
    assert told["pii_principal_id"] == f"+{ANNA}"
    [notice] = told["pii_processing"]
    assert (notice["privacy_notice"], notice["language"]) == (WORDING, "en")
    assert notice["purposes"] == ["utility messages by WhatsApp"]
    assert [event["event_state"] for event in told["events"]] == ["given", "withdrawn"]
    assert all(value is not None for event in told["events"] for value in event.values())


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_shows_text_as_text(doors: Doors) -> None:
    """Whatever somebody wrote: no tag of theirs, no script, nothing loaded; all of it readable."""
    await lived(doors)
    answer = await doors.call("GET", f"{PROOF}?format=html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    tags = Tags()
    tags.feed(answer.text)
    allowed = {"class", "lang", "charset", "name", "content"}
    assert {name for _, names in tags.seen for name in names} <= allowed
    assert not {"script", "img", "link", "iframe", "a"} & {tag for tag, _ in tags.seen}
    assert [tag for tag, _ in tags.seen].count("style") == 1
    assert tags.text.count(HOSTILE) == 4
    assert f"+{ANNA}" in tags.text
    assert BERTIL not in tags.text
    assert "refused: opted_out" in tags.text


@pytest.mark.parametrize(
    ("accept", "query", "media"),
    [
        ("*/*", "", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "", "text/html; charset=utf-8"),
        ("text/html", "?format=json", "application/json"),
        ("application/json, text/html", "", "application/json"),
        ("application/json", "?format=html", "text/html; charset=utf-8"),
    ],
)
async def test_which_form(doors: Doors, accept: str, query: str, media: str) -> None:
    """`format` decides, else what the caller takes; a program gets JSON, a browser the page."""
    answer = await doors.call("GET", PROOF + query, headers=[("Accept", accept)])
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)


async def test_another_form_is_refused(doors: Doors) -> None:
    """There are two."""
    answer = await doors.call("GET", f"{PROOF}?format=pdf")
    assert (answer.status_code, answer.json()["field"]) == (400, "format")


async def test_a_contact_whom_nobody_knows(doors: Doors) -> None:
    """An empty pack, and a page that says so."""
    pack = (await doors.call("GET", PROOF)).json()
    assert (pack["events"], pack["messages"], pack["chain"]["heads"]) == ([], [], [])
    assert pack["contact"]["state"] == "unknown"
    page = (await doors.call("GET", f"{PROOF}?format=html")).text
    assert "Nothing was recorded about this contact." in page


async def test_an_erased_contact(doors: Doors) -> None:
    """R15: pack and page have no number, text or address of theirs."""
    await lived(doors)
    await doors.call("DELETE", f"/v1/bots/{BOT}/contacts/+{ANNA}")
    pack = (await doors.call("GET", PROOF)).json()
    assert [event["kind"] for event in pack["events"]] == ["opt_in", "opt_out", "erased"]
    assert ANNA not in str(pack["events"])
    assert WORDING not in str(pack)
    assert (pack["messages"], pack["chain"]["sound"]) == ([], True)
    page = (await doors.call("GET", f"{PROOF}?format=html")).text
    assert "The personal data of this entry was erased." in page
    assert HOSTILE[:20] not in page


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events SET evidence = '{}' WHERE kind = 'opt_in'",
        "UPDATE events SET source = 'x' WHERE identity = '46732001133'",
        "UPDATE commits SET hash = zeroblob(32) WHERE seq = 2",
        "DELETE FROM commits WHERE seq = 1",
    ],
)
async def test_a_broken_chain_is_not_passed_off_as_proof(
    doors: Doors, tmp_path: Path, damage: str
) -> None:
    """R14: the pack says that it is not sound, and the page says so in words."""
    await lived(doors)
    with sqlite3.connect(tmp_path / "optin.db") as file:
        file.execute(damage)
    file.close()
    assert (await doors.call("GET", PROOF)).json()["chain"]["sound"] is False
    page = (await doors.call("GET", f"{PROOF}?format=html")).text
    assert "These entries do not agree with the hash chain" in page


async def test_a_long_chain_is_left_out_unless_asked_for(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more commits than a pack holds it has those of the contact, and says so."""
    await lived(doors)
    monkeypatch.setattr(prove, "MOST_LINKS", 1)
    monkeypatch.setattr(prove, "_PAGE", 1)
    for number in range(4):
        await doors.legacy("POST", "provision/optin", f"4670000000{number}")
    short = (await doors.call("GET", PROOF)).json()["chain"]
    assert (short["whole"], short["sound"]) == (False, True)
    assert [each["seq"] for each in short["commits"]] == [1, 2]
    whole = await prove.Prove(doors.store).prove(BOT, ANNA, whole=True)
    assert [each.commit.seq for each in whole.chain.commits] == [1, 2, 3, 4, 5, 6]
    assert whole.chain.is_whole
