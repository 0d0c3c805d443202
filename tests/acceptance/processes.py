"""The processes of a running service, as Linux shows them."""

from __future__ import annotations

from pathlib import Path


def workers_of(pid: int) -> list[int]:
    """The worker processes of a service, none if it is one process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def resident(pid: int) -> int:
    """KiB of memory that are the process's own."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
