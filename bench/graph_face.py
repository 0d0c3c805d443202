"""What the Graph face adds to a message's time: `python -m bench.graph_face`.

A provider answers after 20 ms; one client calls it directly and through a real `optin serve`, in
turn, so that the difference holds on a machine whose speed drifts; each message has a recipient of
its own. Aim: at most a tenth of the direct call's p50.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

OPTIN = str(Path(sys.executable).with_name("optin"))
CALLS, WARMING = int(os.environ.get("CALLS", "500")), 50
DELAY = 0.020
NUMBER, TOKEN = "1055", "EAAG-bench"
CONTACTS = [f"4673{n:07}" for n in range(WARMING + CALLS)]
PATH = f"/v25.0/{NUMBER}/messages"


def message(contact: str) -> bytes:
    """A template message, as a Cloud API client writes it."""
    template = {"name": "order_ready", "language": {"code": "en"}}
    whole = {"messaging_product": "whatsapp", "to": f"+{contact}", "type": "template"}
    return json.dumps({**whole, "template": template}).encode()


class _Provider(asyncio.Protocol):
    """Answers each request as Meta does, `DELAY` after its last byte."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.heard = b""

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, found, body = self.heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if found and length and len(body) >= int(length[1]):
            self.heard = body[int(length[1]) :]
            to = json.loads(body[: int(length[1])])["to"]
            asyncio.get_running_loop().call_later(DELAY, self.answer, to)

    def answer(self, to: str) -> None:
        _Provider.made += 1
        contact = {"input": to, "wa_id": to.lstrip("+")}
        told = {"messaging_product": "whatsapp", "contacts": [contact]}
        body = json.dumps({**told, "messages": [{"id": f"wamid.{_Provider.made}"}]}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self.transport.write(head.encode() + b"\r\n\r\n" + body)


def _provide(tell: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Provider, "127.0.0.1", 0)
        tell.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


@contextmanager
def provider() -> Iterator[int]:
    """The provider in a process of its own; its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_provide, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


@contextmanager
def service(folder: str, base_url: str) -> Iterator[tuple[int, str]]:
    """`optin serve` with one bot at that provider; port and token."""
    settings = {
        "upstream": "meta",
        "meta.phone_number_id": NUMBER,
        "meta.access_token": TOKEN,
        "meta.base_url": base_url,
    }
    chosen = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    made = [OPTIN, "bot", "add", "bench", "--json", *chosen]
    out = subprocess.run(made, cwd=folder, capture_output=True, text=True, check=True).stdout
    serve = [OPTIN, "serve", "--port", "0"]
    if script := os.environ.get("SCRIPT"):
        serve = [sys.executable, script, *serve[1:]]
    if profile := os.environ.get("PROFILE"):
        serve = [sys.executable, "-m", "cProfile", "-o", profile, *serve]
    process = subprocess.Popen(serve, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = next(int(m[1]) for line in process.stdout if (m := re.search(r"http://.*:(\d+)", line)))
    try:
        yield port, json.loads(out)["token"]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Caller:
    """One kept connection, as a library's client has it."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.path = path
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, body: bytes) -> float:
        """One call; how long it took, ms."""
        begun = time.perf_counter()
        self.connection.request("POST", self.path, body, self.headers)
        answer = self.connection.getresponse()
        told = answer.read()
        taken = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            raise SystemExit(told.decode())
        return taken


def main() -> None:
    """Prints p50, p90 and p99 of both sides, and what the face adds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        provider() as there,
        service(folder, f"http://127.0.0.1:{there}") as (here, token),
    ):
        opting_in = Caller(here, "/whatsapp/v1/bench/provision/optin", token)
        for first in range(0, len(CONTACTS), 20):
            opting_in.post(json.dumps({"numbers": CONTACTS[first : first + 20]}).encode())
        template = ["template", "set", "--bot", "bench", "order_ready", "en", "utility"]
        subprocess.run([OPTIN, *template], cwd=folder, capture_output=True, check=False)
        sides = {
            "direct": Caller(there, PATH, TOKEN),
            "through the face": Caller(here, "/graph" + PATH, token),
        }
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for turn, contact in enumerate(CONTACTS):
            body = message(contact)
            for name, caller in sides.items():
                spent = caller.post(body)
                if turn >= WARMING:
                    taken[name].append(spent)
    for name, times in taken.items():
        cut = statistics.quantiles(times, n=100)
        print(f"{name:17} p50 {cut[49]:.2f}  p90 {cut[89]:.2f}  p99 {cut[98]:.2f} ms")
    direct, face = (statistics.median(times) for times in taken.values())
    print(f"the face adds {face - direct:.2f} ms at p50 ({(face / direct - 1) * 100:.0f} %)")


if __name__ == "__main__":
    main()
