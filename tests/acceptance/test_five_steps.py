"""The five steps of the README's page of clients, by every client, against the real program."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import Program, wait_until
from tests.web.clients import CLIENTS, run, runnable

SECRET = "app-secret"
TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}
TEXT = {"type": "text", "text": "Your parcel is at the desk."}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, str]]:
    """A running service with one bot on the sandbox; the bot's token."""
    program = Program(tmp_path_factory.mktemp("five"))
    token = program.add_bot("b1", **{"meta.app_secret": SECRET, "meta.phone_number_id": "PNID1"})
    done = program.command("template", "set", "--bot", "b1", "order_ready", "en", "utility")
    assert done.returncode == 0, done.stderr
    with program:
        yield program, token


class Business:
    """What a business does through one client, and what its customer does at Meta."""

    def __init__(self, client: str, program: Program, token: str) -> None:
        self._client = client
        self._program = program
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def call(self, method: str, path: str, body: Any) -> tuple[int, str]:
        url = f"{self._program.url}/whatsapp/v1/b1/{path}"
        return run(self._client, method, url, self._headers, json.dumps(body).encode())

    def send(self, number: str, message: dict[str, Any]) -> tuple[str, str]:
        """(status, state) of the one row."""
        status, text = self.call("POST", "messages", {"to": [number], "message": message})
        assert status == 201, text
        answer = json.loads(text)
        assert answer["type"] == "whatsapp"
        [row] = answer["statuses"]
        assert row["recipient"] == f"+{number}"
        return row["status"], row["state"]

    def hear(self, number: str, text: str) -> None:
        """A real, signed webhook: the customer wrote `text`."""
        wrote = {
            "from": number,
            "id": f"wamid.{self._client}.{text}.{number}",
            "timestamp": str(int(time.time())),
            "type": "text",
            "text": {"body": text},
        }
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "46850000000", "phone_number_id": "PNID1"},
            "messages": [wrote],
        }
        entry = {"id": "WABA1", "changes": [{"field": "messages", "value": value}]}
        whole = {"object": "whatsapp_business_account", "entry": [entry]}
        body = json.dumps(whole).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
        url = f"{self._program.url}/webhooks/meta/b1"
        assert run(self._client, "POST", url, headers, body)[0] == 200


@pytest.mark.parametrize("client", CLIENTS)
def test_the_five_steps(client: str, service: tuple[Program, str]) -> None:
    """Opt in, send, be refused, write as the customer, STOP: what each client reads of it."""
    if not runnable(client):
        return
    business = Business(client, *service)
    number = f"4673200{1000 + CLIENTS.index(client)}"
    stranger = f"4673200{2000 + CLIENTS.index(client)}"
    numbers = {"numbers": [number]}

    assert business.call("POST", "provision/optin", numbers) == (200, "")
    assert business.send(number, TEMPLATE) == ("success", "queued")

    assert business.send(stranger, TEMPLATE) == ("failure", "no_opt_in")
    assert business.send(number, TEXT) == ("failure", "failed")

    business.hear(stranger, "Hello")
    assert business.send(stranger, TEXT) == ("success", "queued")

    business.hear(stranger, "STOP")
    assert business.send(stranger, TEXT) == ("failure", "no_opt_in")
    assert business.call("DELETE", "provision/optin", numbers) == (200, "")
    assert business.send(number, TEMPLATE) == ("failure", "no_opt_in")


@pytest.mark.parametrize("client", CLIENTS)
def test_errors_reach_each_client_with_a_body(client: str, service: tuple[Program, str]) -> None:
    """H2, H4: what a client shows its user when the list or the token is wrong."""
    if not runnable(client):
        return
    program, token = service
    status, text = Business(client, program, token).call("POST", "provision/optin", {"numbers": []})
    assert status == 400
    error = json.loads(text)
    assert error["details"] == error["reason"] == "Field [numbers] can not be empty."
    status, text = Business(client, program, "wrong").call("DELETE", "provision/optin", {})
    assert status == 401
    assert json.loads(text) == {
        "message": "401",
        "details": "Unauthorized bot",
        "reason": "Unauthorized bot",
    }


def test_a_sent_message_moves_on(service: tuple[Program, str]) -> None:
    """SPEC 8: the sandbox takes what was queued and reports it sent, delivered, read."""
    program, token = service
    business = Business("requests", program, token)
    business.call("POST", "provision/optin", {"numbers": ["46732009999"]})
    business.send("46732009999", TEMPLATE)
    path = Path(program.folder) / "optin.db"
    assert wait_until(lambda: "read" in states_of(path, "46732009999"))


def states_of(database: Path, identity: str) -> set[str]:
    """The states of a person's messages, straight from the file."""
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as file:
        found = file.execute("SELECT state FROM messages WHERE identity = ?", (identity,))
        return {row[0] for row in found}
