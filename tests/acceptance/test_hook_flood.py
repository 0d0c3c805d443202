"""Strangers who post to the real program's webhooks: its memory, and what the provider gets."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.processes import resident
from tests.acceptance.program import Program

SECRET, NUMBER, WHO = "the app's secret", "PNID1", "46732001122"
KIB = MIB = 1024
MIB *= KIB
SIZE = 8 * MIB
SOCKETS = 100
#: What the program may hold of bodies, and room for buffers beside it, in KiB.
MOST = (64 + 60) * KIB
WRONG = "X-Hub-Signature-256: sha256=" + "0" * 64


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    settings = {"meta.phone_number_id": NUMBER, "meta.app_secret": SECRET, "upstream": "meta"}
    made.add_bot("shop", **settings)
    made.add_bot("plain", upstream="meta")
    with made:
        yield made


class Flood:
    """Strangers' sockets, each with a body of 8 MiB but for its last byte."""

    def __init__(self, program: Program, path: str, *headers: str) -> None:
        self._at = urlsplit(program.url)
        self._head = "\r\n".join(
            [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {SIZE}", *headers, "", ""]
        ).encode()
        self.sockets: list[socket.socket] = []

    def pour(self) -> None:
        """Sends on all of them at once, as much as the program takes."""
        threads = [threading.Thread(target=self._one) for _ in range(SOCKETS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one(self) -> None:
        assert self._at.hostname is not None
        mine = socket.create_connection((self._at.hostname, self._at.port or 80), 10)
        self.sockets.append(mine)
        try:
            mine.sendall(self._head)
            chunk = b"x" * (256 * KIB)
            for _ in range(SIZE // len(chunk) - 1):
                mine.sendall(chunk)
            mine.sendall(chunk[1:])
        except OSError:
            pass  # refused before it was through

    def statuses(self) -> list[int]:
        """How each was answered, 0 if not (yet), or cut."""
        found = []
        for each in self.sockets:
            each.settimeout(0.05)
            try:
                found.append(int(each.recv(100).split()[1]))
            except (OSError, IndexError):
                found.append(0)
        return found

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class Watch:
    """The most memory that a process had, in KiB, since it was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.most = resident(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            self.most = max(self.most, resident(self._pid))

    def grown(self) -> int:
        """Ends it; by how much it grew."""
        self._ended.set()
        self._thread.join()
        return self.most - self.before


def post(program: Program, message_id: str, padding: int = 0) -> tuple[int, float]:
    """One message of a contact as Meta posts it: its status, and how long that took."""
    message = {
        "from": WHO,
        "id": message_id,
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": "hello"},
        "padding": "x" * padding,
    }
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [message]}
    entry = {"changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"entry": [entry]}).encode()
    signature = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    asked = urllib.request.Request(
        f"{program.url}/webhooks/meta/shop",
        body,
        {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"},
    )
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            status = answer.status
    except urllib.error.HTTPError as refused:
        status = refused.code
    return status, time.monotonic() - begun


UNSIGNED = [
    ("/webhooks/meta/nobody", WRONG),
    ("/webhooks/meta/plain", WRONG),
    ("/webhooks/meta/shop", "X-Hub-Signature-256: sha1=00"),
    ("/webhooks/meta", "X-Other: 1"),
    ("/webhooks/sinch/shop", WRONG),
]


def answered(mine: socket.socket) -> tuple[int, bytes]:
    """The status and body of the one answer on a socket."""
    with mine.makefile("rb") as lines:
        status, size = int(lines.readline().split()[1]), 0
        while line := lines.readline().rstrip().lower():
            if line.startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        return status, lines.read(size)


def test_what_nobody_can_have_signed_is_not_read(program: Program) -> None:
    """SPEC 5: an unknown bot, one without a secret, and a signature that is none are 401 before
    the body is there, all with the same words."""
    at = urlsplit(program.url)
    bodies = set()
    for path, header in UNSIGNED:
        with socket.create_connection((at.hostname, at.port), 5) as mine:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n{header}\r\n\r\n"
            mine.sendall(head.encode())
            status, body = answered(mine)
        assert status == 401
        bodies.add(body)
    [body] = bodies
    assert json.loads(body)["code"] == "invalid_signature"


def test_strangers_fill_no_memory(program: Program) -> None:
    """A hundred bodies of 8 MiB whose last byte never comes: the program holds no more than it
    may, tells the others to come again, and takes in what the provider sends meanwhile."""
    assert post(program, "wamid.0")[0] == 200
    for number, (path, header) in enumerate(
        [
            ("/webhooks/meta/nobody", WRONG),
            ("/webhooks/meta/shop", WRONG),
            ("/webhooks/meta", WRONG),
        ]
    ):
        flood, watch = Flood(program, path, header), Watch(program.pid)
        flood.pour()
        answers = [post(program, f"wamid.{number}.{n}", n * MIB) for n in range(4)]
        grown = watch.grown()
        statuses = flood.statuses()
        flood.close()
        print(f"{path}: {grown // KIB} MiB more, {answers}")
        assert grown < MOST
        assert [status for status, _ in answers] == [200] * 4
        assert max(took for _, took in answers) < 3.0
        assert set(statuses) <= ({0, 401} if path.endswith("nobody") else {0, 503})
