"""Running the service on a socket, in this process or in several, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from optin.domain.errors import StartupError
from optin.settings import Settings
from optin.web.metrics import SHARED
from optin.web.server import server_config
from optin.wiring.service import Service, start_logging

_log = logging.getLogger(__name__)

#: How long each worker process may take to say that it is ready, in seconds.
_PATIENCE = 0.5


def serve_until_stopped(
    settings: Settings, sock: socket.socket, announce: Callable[[], None]
) -> None:
    """Serves until SIGTERM or SIGINT; `announce` is called once, when requests are answered.

    Raises `StartupError` if the service could not start, after it has logged why.
    """
    start_logging(settings.log_level)
    # Spawned workers get the factory, with the settings in it, pickled.
    config = server_config(
        functools.partial(worker_app, settings),  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        factory=True,
    )
    if settings.workers > 1:
        with tempfile.TemporaryDirectory(prefix="optin-metrics-") as shared:
            os.environ[SHARED] = shared  # for the workers, which inherit it
            _Workers(config, sock, announce).run_to_the_end()
    else:
        _Server(config, announce).run_to_the_end(sock)


def worker_app(settings: Settings) -> Service:
    """What uvicorn calls, in each worker process, for the app."""
    start_logging(settings.log_level)
    return Service(settings, started=_end_with_parent)


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, or it would hold on to the port unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(parent.sentinel, _parent_is_gone, loop, parent.sentinel)


class _Server(uvicorn.Server):
    """One process."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a stop that was asked for is no failure: exit code 0."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def run_to_the_end(self, sock: socket.socket) -> None:
        try:
            self.run([sock])
        except SystemExit as ended:
            if ended.code == STARTUP_FAILURE:
                raise _not_started() from None
            raise


class _Workers(Multiprocess):
    """Several processes on one socket; one that dies is replaced."""

    def __init__(
        self, config: uvicorn.Config, sock: socket.socket, announce: Callable[[], None]
    ) -> None:
        super().__init__(config, [sock])
        self._announce: Callable[[], None] | None = announce

    def keep_subprocess_alive(self) -> None:
        before = {each.pid for each in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {each.pid for each in self.processes}:
            _log.warning("Worker process %s ended unasked; another takes its place.", pid)
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
        if self._announce and all(each.is_ready(_PATIENCE) for each in self.processes):
            _log.info("Worker processes: %s", " ".join(str(each.pid) for each in self.processes))
            self._announce()
            self._announce = None

    def run_to_the_end(self) -> None:
        self.run()
        if any(each.exitcode == STARTUP_FAILURE for each in self.processes):
            raise _not_started()


def _not_started() -> StartupError:
    return StartupError("The service could not start; the lines above say why.")


def _parent_is_gone(loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
    loop.remove_reader(sentinel)
    os.kill(os.getpid(), signal.SIGTERM)
