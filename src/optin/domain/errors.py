"""The tree of errors. Each class has a stable `code`; only `web/problems.py` knows HTTP statuses.

A refusal to send is a verdict, not an error (R7): it is never raised.
"""

from __future__ import annotations


class OptinError(Exception):
    """Root of everything this program raises on purpose.

    `code` is stable and part of the API; `str(error)` is one plain sentence for people.
    """

    code = "internal_error"


class InvalidInput(OptinError):
    """The caller sent something that breaks a rule; nothing was changed (H2).

    `field` names the member at fault, `position` its 0-based place in a list.
    """

    code = "invalid_input"

    def __init__(self, message: str, *, field: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.position = position


class InvalidNumber(InvalidInput):
    """Not a phone number by H3. The message never repeats more of the input than needed."""

    code = "invalid_number"


class InvalidIdentity(InvalidInput):
    """Neither a phone number (H3) nor a BSUID (R11)."""

    code = "invalid_identity"


class InvalidMessage(InvalidInput):
    """A message that H9 does not know, or one whose members break its type's shape."""

    code = "invalid_message"


class FutureDated(InvalidInput):
    """An opt-in, resume or message dated more than 5 minutes ahead (R3)."""

    code = "future_dated"


class InvalidSetting(InvalidInput):
    """A setting that does not exist, or a value it does not take (SPEC 8)."""

    code = "invalid_setting"


class InvalidList(InvalidInput):
    """A file that is no list, or one that does not say what its rows are (SPEC 6)."""

    code = "invalid_list"


class TooLarge(InvalidInput):
    """The body is larger than a call of its kind may be (H6)."""

    code = "too_large"


class TooSlow(InvalidInput):
    """The body did not arrive in the time that it may take (SPEC 5)."""

    code = "too_slow"


class WrongMethod(OptinError):
    """The path takes other methods, `allowed`, in alphabetical order (H6)."""

    code = "wrong_method"

    def __init__(self, message: str, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class Unauthorized(OptinError):
    """No, malformed or unknown token; a token of another bot or region; an unknown bot (H4)."""

    code = "unauthorized"


class Forbidden(OptinError):
    """The token is right but lacks the scope that the call needs (SPEC 6)."""

    code = "forbidden"


class InvalidSignature(OptinError):
    """A webhook whose signature is missing or wrong: nothing was changed (SPEC 5)."""

    code = "invalid_signature"


class NotFound(OptinError):
    """What the call names does not exist."""

    code = "not_found"


class Conflict(OptinError):
    """What the call wants to make is there already, or in use."""

    code = "conflict"


class Gone(OptinError):
    """What is asked about was there and has left for good (R16)."""

    code = "gone"


class TooManyRequests(OptinError):
    """More waits than may wait. `retry_after` is in whole seconds (H6)."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(OptinError):
    """More is arriving than one process takes in at once: come again (SPEC 5)."""

    code = "overloaded"


class StoreUnavailable(OptinError):
    """The store could not answer or could not commit: nothing is reported as recorded (R12)."""

    code = "store_unavailable"


class InconsistentRecord(StoreUnavailable):
    """A stored record contradicts itself: nothing may be decided from it (R12)."""

    code = "inconsistent_record"


class ProviderError(OptinError):
    """The WhatsApp provider did not answer, or not with what it was asked for: nothing changed."""

    code = "provider_error"


class StartupError(OptinError):
    """The program cannot start or go on as it was told; the message says why in one sentence."""

    code = "startup_error"


class SchemaMismatch(StartupError):
    """The database's schema is newer than this program, or not migrated yet."""

    code = "schema_mismatch"


class MasterKeyMismatch(StartupError):
    """The master key is missing, or is not the one this database was made with (SPEC 8)."""

    code = "master_key_mismatch"
