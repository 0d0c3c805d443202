"""A real uvicorn server in a thread, on a port that the kernel chose, and raw sockets to it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from optin.web.connections.protocol import OptinProtocol
from optin.web.server import server_config


@contextmanager
def serving(
    app: Any, protocol: type[OptinProtocol] = OptinProtocol, **options: Any
) -> Iterator[int]:
    """Serve `app` until the block ends; gives the port. `options` are uvicorn's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = server_config(app, host="127.0.0.1", port=0, http=protocol, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        assert server.started, "the server did not start"
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive(), "the server did not stop"


class Wire:
    """One raw connection."""

    def __init__(self, port: int, timeout: float = 10) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response: status, headers in lower case, body (by Content-Length or chunks)."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().rstrip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if status == 100:
            return status, headers, b""
        return status, headers, self._file.read(int(headers["content-length"]))

    def ended(self) -> bool:
        """Whether the server closes, without a further byte, before the socket's timeout."""
        return self._file.read(1) == b""


def assert_refused(answer: tuple[int, dict[str, str], bytes], status: int) -> str:
    """The JSON error form of SPEC 3, with `Connection: close`; gives its sentence."""
    got, headers, body = answer
    assert got == status, body
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    members = json.loads(body)
    assert set(members) == {"message", "details", "reason"}
    assert members["message"] == str(status)
    assert members["details"] == members["reason"] != ""
    return str(members["details"])
