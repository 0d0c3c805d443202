"""Take in what a provider's signed webhook says: consent, reports, messages (SPEC 5, R9 to R11).

Everything in a body is committed before the provider gets its 200 (R13). What was taken in before
is recognised by ids made of the provider's own, so bodies may come late, twice or out of order.
"""

from __future__ import annotations

from optin.usecases.receive_inbound.receiving import ReceiveInbound

__all__ = ["ReceiveInbound"]
