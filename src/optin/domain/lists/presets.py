"""Lists as other providers give them out: what their columns are called and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optin.domain.errors import InvalidList
from optin.domain.lists.headings import Field, folded


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider's list. `headings`: folded. `action`: what all rows are, "" if they say so.

    `by_contact`: values of the collection point that say that the contact acted (R4).
    `additions`: values of `operation` that put somebody on the list; others say nothing.
    """

    headings: Mapping[str, Field]
    action: str = ""
    by_contact: frozenset[str] = frozenset()
    additions: frozenset[str] = field(default_factory=frozenset)


def _headings(names: Mapping[str, Field]) -> dict[str, Field]:
    return {folded(name): meaning for name, meaning in names.items()}


PRESETS: Mapping[str, Preset] = {
    # Consent Management API and what is exported from it.
    "twilio": Preset(
        _headings(
            {
                "contact_id": Field.IDENTITY,
                "status": Field.ACTION,
                "consent_status": Field.ACTION,
                "date_of_consent": Field.OCCURRED_AT,
                "source": Field.COLLECTION_POINT,
                "correlation_id": Field.REFERENCE,
            }
        ),
        by_contact=frozenset({"opt-out-message"}),
    ),
    # The users of an app; the number comes in two parts, times are in milliseconds.
    "gupshup": Preset(
        _headings(
            {
                "countryCode": Field.CALLING_CODE,
                "phoneCode": Field.IDENTITY,
                "phone_number": Field.IDENTITY,
                "optinStatus": Field.ACTION,
                "optinTimeStamp": Field.OPTED_IN_AT,
                "optoutTimeStamp": Field.OPTED_OUT_AT,
                "optinSource": Field.COLLECTION_POINT,
            }
        )
    ),
    # The Do Not Contact list (blocklist): whoever is on it has opted out.
    "infobip": Preset(
        _headings(
            {
                "Contact information": Field.IDENTITY,
                "destination": Field.IDENTITY,
                "Added": Field.OCCURRED_AT,
                "createdDate": Field.OCCURRED_AT,
                "Source": Field.COLLECTION_POINT,
                "sourceType": Field.COLLECTION_POINT,
                "Channel": Field.CHANNEL,
            }
        ),
        action="opt_out",
        by_contact=frozenset({"message from the end user", "url opt out", "mo", "url_opt_out"}),
    ),
    # Conversation API consents: the identities of the three lists, or their audit records.
    "sinch": Preset(
        _headings(
            {
                "identity": Field.IDENTITY,
                "list_type": Field.ACTION,
                "list": Field.ACTION,
                "operation": Field.OPERATION,
                "datetime": Field.OCCURRED_AT,
                "origin": Field.COLLECTION_POINT,
            }
        ),
        additions=frozenset({"insert", "update"}),
    ),
}


def preset_named(name: str) -> Preset:
    """The preset, an empty one for "". Raises `InvalidList`."""
    if name and name not in PRESETS:
        raise InvalidList(f"There are presets for: {', '.join(PRESETS)}.", field="preset")
    return PRESETS[name] if name else Preset({})
