"""Waiting for something in another process, without end loops."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def until(
    holds: Callable[[], Any | Awaitable[Any]], seconds: float = 30.0, every: float = 0.02
) -> Any:
    """The first true value of `holds()`, which may be a coroutine; fails if none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = holds()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        await asyncio.sleep(every)
    raise AssertionError(f"it did not come to hold in {seconds:.0f} s")
