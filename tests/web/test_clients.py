"""Real HTTP clients against the protocol, and the protocol under several processes (H5)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from optin.web.connections.limits import MIB
from tests.web.clients import CLIENTS, run, runnable
from tests.web.echo import app
from tests.web.running import Wire, serving

ROOT = Path(__file__).parents[2]
HEADERS = {"Authorization": "Bearer T", "Content-Type": "application/json"}
BODY = b'{"numbers": ["46732001122"]}'


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("client", CLIENTS)
def test_client_is_understood(base: str, client: str) -> None:
    """H5: every client's POST and DELETE arrive whole, and its empty 200 is an empty body."""
    if not runnable(client):
        return
    for method in ("POST", "DELETE"):
        status, text = run(client, method, f"{base}/whatsapp/v1/b/provision/optin", HEADERS, BODY)
        got = json.loads(text)
        assert (status, got["method"], got["text"]) == (200, method, BODY.decode())
        assert "authorization" in got["headers"]
    assert run(client, "POST", f"{base}/empty", HEADERS, BODY) == (200, "")
    status, text = run(client, "GET", f"{base}/whatsapp/v1/b/provision/blacklist", HEADERS)
    assert (status, json.loads(text)["length"]) == (200, 0)


@pytest.mark.parametrize("client", CLIENTS)
def test_client_reads_the_refusal_of_a_large_body(base: str, client: str) -> None:
    """H6: every client gets to read the 413 for a body somewhat over 1 MiB."""
    if not runnable(client):
        return
    status, text = run(client, "POST", f"{base}/whatsapp/v1/b/x", HEADERS, b"a" * (MIB + MIB // 2))
    assert status == 413
    assert json.loads(text)["reason"] == f"The body of the request is larger than {MIB} bytes."


@pytest.mark.parametrize("client", CLIENTS)
def test_client_reads_an_early_answer(base: str, client: str) -> None:
    """H4: every client gets to read a 401 that came before its body was looked at."""
    if not runnable(client):
        return
    assert run(client, "POST", f"{base}/early", HEADERS, b"a" * 500_000) == (401, "{}")


SERVER = """
import socket, sys
from uvicorn.supervisors import Multiprocess
from optin.web.server import server_config

if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = server_config("tests.web.echo:app", host="127.0.0.1", port=0, workers=2)
    Multiprocess(config, sockets=[listener]).run()
"""


def test_several_processes_use_the_protocol(tmp_path: Path) -> None:
    """SPEC 8: workers import the class, ignore offers as one process does, and end on SIGTERM."""
    program = tmp_path / "program.py"
    program.write_text(SERVER)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, env=environment, text=True
    ) as server:
        try:
            assert server.stdout is not None
            with Wire(_accepting(int(server.stdout.readline()))) as wire:
                wire.send(b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n")
                wire.send(b"Content-Length: 3\r\n\r\nabc")
                assert json.loads(wire.answer()[2])["text"] == "abc"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


def _accepting(port: int) -> int:
    """Wait until a worker listens."""
    for _ in range(100):
        try:
            with Wire(port):
                return port
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("no worker listens")
