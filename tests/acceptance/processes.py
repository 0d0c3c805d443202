"""The processes of a running service, as Linux shows them."""

from __future__ import annotations

import contextlib
from pathlib import Path


def workers_of(pid: int) -> list[int]:
    """The worker processes of a service, none if it is one process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def resident(pid: int) -> int:
    """KiB of memory that are the process's own."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def has_connection(pid: int, port: int) -> bool:
    """Whether the process holds the TCP connection over IPv4 that begins at this port."""
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{row[9]}]" for row in rows if int(row[1].split(":")[1], 16) == port}
    held = set()
    for opened in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            held.add(str(opened.readlink()))
    return not ours.isdisjoint(held)
