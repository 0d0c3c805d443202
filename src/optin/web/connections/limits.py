"""What one request may cost before the application sees it (H6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from optin.web.connections.refusals import Refused

KIB, MIB = 1024, 1024 * 1024


_IMPORTS = re.compile(r"/v1/bots/[^/]+/imports/?")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `body_sizes` holds (path prefix, largest body): the first prefix that fits counts; none fits: no
    body. The head's
    size is that of its target, names and values, with 4 bytes for each header's punctuation.
    """

    head_size: int = 32 * KIB
    head_count: int = 100
    head_seconds: float = 10.0
    body_sizes: tuple[tuple[str, int], ...] = (
        ("/whatsapp/", MIB),
        ("/graph/", 101 * MIB),  # a document may have 100 MiB; it is passed through, never kept
        ("", 8 * MIB),
    )
    import_size: int = 16 * 1024 * MIB  # a list is kept piece by piece; a setting says how much
    body_seconds: float = 30.0
    linger_size: int = 4 * MIB
    linger_seconds: float = 5.0

    def judge_head(self, path: str, size: int, headers: list[tuple[bytes, bytes]]) -> int:
        """Return the largest body that this request may have.

        `path` is percent-decoded, `size` its target's; names are in lower case. Raises Refused:
        431 for the head, 413 for the body that it announces.
        """
        announced = 0
        for name, value in headers:
            size += len(name) + len(value) + 4
            if name == b"content-length":
                announced = int(value)  # llhttp let digits through only
        if size > self.head_size or len(headers) > self.head_count:
            raise head_too_large()
        most = self._largest_body(path)
        if announced > most:
            raise body_too_large(most)
        return most

    def _largest_body(self, path: str) -> int:
        if _IMPORTS.fullmatch(path):
            return self.import_size
        for prefix, most in self.body_sizes:
            if path.startswith(prefix):
                return most
        return 0


def head_too_large() -> Refused:
    """Too many bytes or headers before the body, or in what stands between its chunks."""
    return Refused(431, "The head of the request is too large.")


def body_too_large(most: int) -> Refused:
    """`most`: how many bytes it could have been."""
    return Refused(413, f"The body of the request is larger than {most} bytes.")
