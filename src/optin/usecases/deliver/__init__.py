"""Hand waiting messages over to the upstream, each at most once (H8)."""

from __future__ import annotations

from optin.usecases.deliver.delivering import LEASE, Deliver
from optin.usecases.deliver.judging import YIELD

__all__ = ["LEASE", "YIELD", "Deliver"]
