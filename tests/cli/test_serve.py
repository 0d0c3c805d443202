"""`optin serve` as a process: it answers, sees what changes beside it, and stops cleanly."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.program import running, succeeded

NUMBERS = {"numbers": ["+46701740605"]}


def add_bot(folder: Path, bot_id: str, *options: str) -> str:
    """A fresh bot's token."""
    token = succeeded(folder, "bot", "add", bot_id, *options, "--json").json["token"]
    assert isinstance(token, str)
    return token


def opt_in(url: str, bot_id: str, token: str) -> int:
    """The status of an opt-in; a connection of its own, so that any worker may take it."""
    answer = httpx.post(
        f"{url}/whatsapp/v1/{bot_id}/provision/optin",
        headers={"Authorization": f"Bearer {token}"},
        json=NUMBERS,
        trust_env=False,
    )
    return answer.status_code


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_answers_and_stops(tmp_path: Path, workers: str, how: signal.Signals) -> None:
    """One process or two: requests are answered, a signal ends it with 0 and a quiet log."""
    token = add_bot(tmp_path, "shop")
    with running(tmp_path, "serve", "--workers", workers) as service:
        assert httpx.get(f"{service.url}/readyz", trust_env=False).status_code == 200
        assert [opt_in(service.url, "shop", token) for _ in range(6)] == [200] * 6
        assert service.stop(how) == 0
    checked = succeeded(tmp_path, "check", "--bot", "shop", "+46701740605", "--json").json
    assert checked["results"][0]["basis"] == "opt_in"
    log = service.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_what_changes_beside_it_is_in_force_within_a_second(tmp_path: Path) -> None:
    """A new bot, a revoked token and a removed bot count in every worker a second later (H4)."""
    first = add_bot(tmp_path, "shop")
    with running(tmp_path, "serve", "--workers", "2") as service:
        assert {opt_in(service.url, "shop", first) for _ in range(6)} == {200}
        second = succeeded(tmp_path, "bot", "token", "shop", "--json").json
        late = add_bot(tmp_path, "late")
        time.sleep(1)
        assert {opt_in(service.url, "shop", second["token"]) for _ in range(6)} == {200}
        assert {opt_in(service.url, "late", late) for _ in range(6)} == {200}
        succeeded(tmp_path, "bot", "token", "shop", "--revoke", second["token_id"])
        succeeded(tmp_path, "bot", "remove", "late")
        time.sleep(1)
        assert {opt_in(service.url, "shop", second["token"]) for _ in range(12)} == {401}
        assert {opt_in(service.url, "late", late) for _ in range(12)} == {401}
        assert opt_in(service.url, "shop", first) == 200
        assert service.stop() == 0


def test_only_the_region_it_serves(tmp_path: Path) -> None:
    """OPTIN_REGION: a bot of another region gets the 401 of H4, one of this region is served."""
    here = add_bot(tmp_path, "here", "--region", "eu1")
    there = add_bot(tmp_path, "there", "--region", "us1")
    with running(tmp_path, "serve", OPTIN_REGION="eu1") as service:
        assert opt_in(service.url, "here", here) == 200
        assert opt_in(service.url, "there", there) == 401


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    """After kill -9 of the parent its workers end too, and free the port for the next start."""
    succeeded(tmp_path, "migrate")
    with running(tmp_path, "serve", "--workers", "2") as service:
        assert httpx.get(f"{service.url}/healthz", trust_env=False).status_code == 200
        service.process.kill()
        service.process.wait()
        assert eventually_unreachable(service.url, seconds=10)


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """After kill -9 of one worker the log says so, and requests are answered as before."""
    token = add_bot(tmp_path, "shop")
    with running(tmp_path, "serve", "--workers", "2") as service:
        told = re.search(r"Worker processes: (\d+) \d+$", service.log.read_text(), re.MULTILINE)
        assert told is not None
        victim = int(told[1])
        os.kill(victim, signal.SIGKILL)
        end = time.monotonic() + 20
        while f"Worker process {victim} ended" not in service.log.read_text():
            assert time.monotonic() < end
            time.sleep(0.1)
        assert {opt_in(service.url, "shop", token) for _ in range(6)} == {200}
        assert service.stop() == 0


def eventually_unreachable(url: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            httpx.get(f"{url}/healthz", trust_env=False, timeout=1)
        except httpx.TransportError:
            return True
        time.sleep(0.1)
    return False


def test_a_customer_is_played_on_the_sandbox(tmp_path: Path) -> None:
    """`sandbox say` reaches the service as a signed webhook: a message opens a session, a stop
    word ends it; a bot that never had an app secret gets one."""
    add_bot(tmp_path, "shop")
    say = ("sandbox", "say", "--bot", "shop", "--from", "+46 70 174 06 05", "--url")
    asked = ("check", "--bot", "shop", "--category", "service", "+46701740605", "--json")
    with running(tmp_path, "serve") as service:
        said = succeeded(tmp_path, *say, service.url, "Hello", "--json")
        assert said.json["message_id"].startswith("wamid.SANDBOX")
        assert succeeded(tmp_path, *asked).json["results"][0]["basis"] == "session"
        succeeded(tmp_path, *say, service.url, "Stop!")
        assert succeeded(tmp_path, *asked).json["results"][0]["reason"] == "opted_out"
