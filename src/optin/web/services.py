"""Everything that the doors need, made by wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optin.domain.breaker import Breaker
from optin.ports.backlog import Backlog
from optin.ports.store import Store
from optin.usecases.blacklist import Blacklist
from optin.usecases.check import Check
from optin.usecases.count import Counted
from optin.usecases.erase import Erase
from optin.usecases.import_list import ReceiveImport
from optin.usecases.manage_bots import ManageBots
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.read_contact import ReadContact
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.record_consent import RecordConsent
from optin.usecases.relay import Relay
from optin.usecases.replay_callbacks import ReplayCallbacks
from optin.usecases.review import Reviews
from optin.usecases.rotate_tokens import RotateTokens
from optin.usecases.send_message import SendMessage
from optin.web.client_address import Networks
from optin.web.once import Keys
from optin.web.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases, and what doors ask the store themselves: tokens, bots, whether it is ready.

    `region`: the one served, "" for all (H4). `trusted_proxies`: `client_address.networks` of the
    setting. `waiting`: the calls under way in this process. `breakers`: those that hold messages
    up in this process. `counted`: the counts it made a moment ago.
    """

    store: Store
    record_consent: RecordConsent
    check: Check
    read_contact: ReadContact
    erase: Erase
    imports: ReceiveImport
    blacklist: Blacklist
    manage_templates: ManageTemplates
    send_message: SendMessage
    receive_inbound: ReceiveInbound
    receive_sinch: ReceiveInbound
    relay: Relay
    replay_callbacks: ReplayCallbacks
    reviews: Reviews
    manage_bots: ManageBots
    rotate_tokens: RotateTokens
    region: str = ""
    trusted_proxies: Networks = ()
    waiting: Waiting = field(default_factory=Waiting)
    keys: Keys = field(default_factory=Keys)
    counted: Counted = field(default_factory=Counted)
    breakers: Callable[[], Mapping[str, Breaker]] = dict
    backlog: Backlog | None = None
