"""`optin sandbox`: play the customer of a bot on the simulated WhatsApp, on the real program."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Running, optin, running, succeeded

CUSTOMER = "46701740605"
#: last digits -> (stage, state) in the end, and the beginning of the details.
ENDS = {
    "0605": ("settled", "read", ""),
    "0001": ("settled", "failed", "131026 "),
    "0002": ("settled", "failed", "131050: "),
    "0003": ("settled", "failed", "131049 "),
    "0004": ("settled", "failed", "131047: "),
    "0005": ("settled", "read", ""),
    "0006": ("settled", "read", ""),
    "0008": ("settled", "read", ""),
    "0009": ("claimed", "queued", "no answer"),
    "0010": ("settled", "failed", "132001: "),
    "0011": ("settled", "read", ""),
    "0012": ("settled", "sent", ""),
    "0013": ("settled", "failed", "131050 "),
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    """A service with the bot `shop` on the sandbox, and a utility template."""
    succeeded(tmp_path, "bot", "add", "shop")
    succeeded(tmp_path, "template", "set", "--bot", "shop", "order_ready", "en", "utility")
    with running(tmp_path, "serve") as started:
        yield started


def play(folder: Path, service: Running, what: str, *more: str) -> Any:
    """One command of the customer's that reaches the service."""
    who = ("--bot", "shop", "--from", f"+{CUSTOMER}", "--url", service.url)
    return succeeded(folder, "sandbox", what, *who, *more, "--json").json


def check(folder: Path, category: str) -> Any:
    """(reason, basis) for the customer."""
    asked = ("check", "--bot", "shop", "--category", category, f"+{CUSTOMER}", "--json")
    [row] = succeeded(folder, *asked).json["results"]
    return row["reason"], row["basis"]


def send(folder: Path, service: Running, *numbers: str) -> None:
    """Opts the numbers in and sends each the template."""
    token = succeeded(folder, "bot", "token", "shop", "--json").json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    template = {"type": "template", "template_name": "order_ready", "language": "en"}
    for path, body in (
        ("provision/optin", {"numbers": numbers}),
        ("messages", {"to": numbers, "message": template}),
    ):
        url = f"{service.url}/whatsapp/v1/shop/{path}"
        content = json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=10):
            pass


def ends(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Last digits of the recipients -> stage, state and details of their messages."""
    with closing(sqlite3.connect(folder / "optin.db")) as file:
        found = file.execute("SELECT identity, stage, state, details FROM messages")
        return {identity[-4:]: (stage, state, told) for identity, stage, state, told in found}


def become(folder: Path, expected: dict[str, tuple[str, str, str]], seconds: float = 40) -> None:
    """Waits until the messages have ended so; details by their beginning."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = {d: (*got[:2], got[2][: len(expected[d][2])]) for d, got in ends(folder).items()}
        if now == expected:
            return
        time.sleep(0.1)
    raise AssertionError(ends(folder))


def test_digits_make_messages_fail(tmp_path: Path, service: Running) -> None:
    """SPEC 8: each failure of the table, from the send to the message's end."""
    send(tmp_path, service, *(f"4670174{digits}" for digits in ENDS))
    become(tmp_path, ENDS)
    for digits, stopped in (("0002", True), ("0013", True), ("0001", False)):
        asked = ("check", "--bot", "shop", "--category", "marketing", f"+4670174{digits}", "--json")
        [row] = succeeded(tmp_path, *asked).json["results"]
        assert (row["reason"] == "marketing_stopped") is stopped


def test_an_expired_token_keeps_messages_waiting(tmp_path: Path, service: Running) -> None:
    """Error 190 gives no message up."""
    send(tmp_path, service, "46701740007")
    become(tmp_path, {"0007": ("waiting", "queued", "")})
    time.sleep(1)
    become(tmp_path, {"0007": ("waiting", "queued", "")})


def test_the_customer_stops_and_resumes_marketing(tmp_path: Path, service: Running) -> None:
    """R8: WhatsApp's own control limits marketing only, and lifts what it stopped."""
    play(tmp_path, service, "say", "Hello")
    assert check(tmp_path, "marketing") == (None, "session")
    play(tmp_path, service, "stop-marketing")
    assert check(tmp_path, "marketing") == ("marketing_stopped", None)
    assert check(tmp_path, "utility") == (None, "session")
    play(tmp_path, service, "resume-marketing")
    assert check(tmp_path, "marketing") == (None, "session")


def test_what_comes_later_counts_as_later(tmp_path: Path, service: Running) -> None:
    """WhatsApp's times are whole seconds; of two commands the second is never in doubt (R3), since
    each posts when a second has just begun."""
    for _ in range(4):
        play(tmp_path, service, "say", "STOP")
    with closing(sqlite3.connect(tmp_path / "optin.db")) as file:
        recorded = [row[0] for row in file.execute("SELECT recorded FROM events")]
    assert [at % 1_000_000 < 600_000 for at in recorded] == [True] * 4
    play(tmp_path, service, "say", "Hello")
    assert check(tmp_path, "service") == (None, "session")


def test_a_service_on_another_database(tmp_path: Path, service: Running) -> None:
    """A service that does not believe the webhook is told apart from one that is not there."""
    other = tmp_path / "other"
    other.mkdir()
    succeeded(other, "bot", "add", "shop")
    who = ("--bot", "shop", "--from", CUSTOMER)
    refused = optin(other, "sandbox", "say", *who, "--url", service.url, "Hello")
    assert refused.code == 1
    assert "answered 401. Is it on the same database?" in refused.err


def test_a_call_opens_a_session(tmp_path: Path, service: Running) -> None:
    """R9: the customer who rings may be answered."""
    assert check(tmp_path, "service") == ("no_opt_in", None)
    assert play(tmp_path, service, "call")["from"] == f"+{CUSTOMER}"
    assert check(tmp_path, "service") == (None, "session")


def test_the_customer_blocks_and_unblocks(tmp_path: Path, service: Running) -> None:
    """SPEC 8: while the customer blocks the bot its messages are never delivered."""
    who = ("--bot", "shop", "--from", f"+{CUSTOMER}", "--json")
    assert succeeded(tmp_path, "sandbox", "block", *who).json["blocked"] is True
    send(tmp_path, service, CUSTOMER)
    become(tmp_path, {"0605": ("settled", "sent", "")})
    time.sleep(1)
    become(tmp_path, {"0605": ("settled", "sent", "")})
    assert succeeded(tmp_path, "sandbox", "unblock", *who).json["blocked"] is False
    send(tmp_path, service, "46701740606", CUSTOMER)
    with closing(sqlite3.connect(tmp_path / "optin.db")) as file:
        for _ in range(100):
            read = file.execute("SELECT count(*) FROM messages WHERE state = 'read'").fetchone()[0]
            if read == 2:
                return
            time.sleep(0.1)
    raise AssertionError(ends(tmp_path))


@pytest.mark.parametrize("what", ["say", "call", "stop-marketing", "block"])
def test_nobody_plays_the_customers_of_a_real_account(tmp_path: Path, what: str) -> None:
    """A bot that is not on the sandbox is refused, and nothing is posted."""
    succeeded(tmp_path, "bot", "add", "real", "--set", "upstream=meta")
    text = ["Hi"] if what == "say" else []
    done = optin(tmp_path, "sandbox", what, "--bot", "real", "--from", CUSTOMER, *text)
    assert done.code == 2
    assert "not on the sandbox" in done.err
