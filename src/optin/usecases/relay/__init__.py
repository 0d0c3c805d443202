"""Pass a Cloud API client's own message on to the provider, if it may go (SPEC 7, H8)."""

from __future__ import annotations

from optin.usecases.relay.relaying import Handled, Relay

__all__ = ["Handled", "Relay"]
