"""What can be wrong with one row. The others go on."""

from __future__ import annotations


class RowFault(Exception):
    """`code` is stable and part of the API; the sentence never repeats the row."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


#: What a row begins and ends with is shown to who repairs it; more of a huge one is not kept.
SHOWN_OF_A_HUGE_ROW = 1_000
