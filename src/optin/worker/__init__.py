"""The loops that run beside the doors: hand over, call back, sweep. They stop when told.

Each loop leases what is due and works on many at once, bounded altogether, for each bot and for
each receiver, so that one that hangs holds up no other.
"""

from __future__ import annotations

from optin.worker.queue_loop import AT_ONCE, QueueLoop
from optin.worker.running import (
    CALLBACKS_FOR_ONE,
    CALLBACKS_OF_A_BOT,
    FOR_ONE,
    GRACE,
    Worker,
)

__all__ = [
    "AT_ONCE",
    "CALLBACKS_FOR_ONE",
    "CALLBACKS_OF_A_BOT",
    "FOR_ONE",
    "GRACE",
    "QueueLoop",
    "Worker",
]
