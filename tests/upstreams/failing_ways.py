"""Every way in which a provider can fail a request, as one table, and chance that can be repeated.

A way says whether the message is taken (it reaches the customer) and whether the answer says so for
certain. Codes after Meta's "Error codes" page; which of them mean "later" is written down here once
more, so that this and the program's own table check each other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

#: Not taken, and it may be tried again.
LATER = (4, 80007, 130429, 131000, 131048, 131053, 131056, 131057, 133016)
#: With a status from 500 on: Meta says of none of them that the message was not taken.
FAULTS = (1, 2, 131016)
#: Not taken, and nothing of this sender's is until somebody acts.
SENDER = (0, 3, 10, 190, 200, 368, 131005, 131031, 131037, 131042, 131045)
#: Not taken, and never will be.
NEVER = (
    *(33, 100, 130403, 130472, 130497, 131008, 131009, 131021, 131026, 131047, 131049, 131050),
    *(131051, 131062, 131063, 131064, 132000, 132001, 132005, 132007, 132012, 132015, 132016),
    137000,
)


class Answer(StrEnum):
    """What the client gets to see."""

    ACCEPTED = "accepted"
    SLOW = "accepted slowly"
    LATER = "an error that passes"
    FAULT = "a fault of Graph's own"
    SENDER = "an error of the sender's"
    NEVER = "an error for good"
    LIMITED = "429 of a proxy's"
    LIMITED_FOR = "429 with Retry-After"
    HANG = "nothing, ever"
    CLOSED = "the connection closed"
    HALF = "half an answer"
    NONSENSE = "200 that is no JSON"
    NO_ID = "200 without an id"
    HTML_500 = "500 in HTML"


#: Answers after which nobody can know whether the message was taken: it must not be sent again.
UNCERTAIN = frozenset(
    {
        *(Answer.HANG, Answer.CLOSED, Answer.HALF, Answer.NONSENSE, Answer.NO_ID),
        *(Answer.HTML_500, Answer.FAULT),
    }
)


@dataclass(frozen=True)
class Way:
    """What happens to one request."""

    answer: Answer
    taken: bool


_CODES = {
    Answer.LATER: LATER,
    Answer.FAULT: FAULTS,
    Answer.SENDER: SENDER,
    Answer.NEVER: NEVER,
}

#: way -> how often, of 1,000 requests.
_WAYS: dict[Way, int] = {
    Way(Answer.ACCEPTED, True): 655,
    Way(Answer.SLOW, True): 40,
    Way(Answer.LATER, False): 110,
    Way(Answer.SENDER, False): 3,
    Way(Answer.NEVER, False): 40,
    Way(Answer.LIMITED, False): 20,
    Way(Answer.LIMITED_FOR, False): 30,
    **{
        Way(answer, taken): often
        for answer, often in (
            (Answer.HANG, 5),
            (Answer.CLOSED, 10),
            (Answer.HALF, 10),
            (Answer.NONSENSE, 7),
            (Answer.NO_ID, 7),
            (Answer.HTML_500, 7),
            (Answer.FAULT, 5),
        )
        for taken in (True, False)
    },
}

#: What is reported of a message that was taken: never a failure after it was delivered.
_REPORTS: dict[tuple[str, ...], int] = {
    ("sent", "delivered", "read"): 60,
    ("sent", "delivered"): 15,
    ("sent",): 5,
    ("failed",): 7,
    ("sent", "failed"): 5,
    (): 8,
}


@dataclass(frozen=True)
class Plan:
    """Repeatable chance: what happens depends on the seed and the message, not on any order."""

    seed: int

    def way(self, correlation: str, attempt: int) -> Way:
        """What happens to the `attempt`-th request with this message."""
        return self.chance(correlation, attempt).choices([*_WAYS], [*_WAYS.values()])[0]

    def code(self, correlation: str, attempt: int, answer: Answer) -> int:
        """The code of an error answer."""
        return self.chance(correlation, attempt, "code").choice(_CODES[answer])

    def reports(self, correlation: str) -> list[str]:
        """The statuses of a message, in the order in which they are posted: some twice, some in
        the wrong order."""
        chance = self.chance(correlation, "reports")
        told = list(chance.choices([*_REPORTS], [*_REPORTS.values()])[0])
        told += [status for status in told if chance.random() < 0.3]
        if chance.random() < 0.3:
            chance.shuffle(told)
        return told

    def tells_first(self, correlation: str) -> bool:
        """Whether the first status is posted before the request is answered."""
        return self.chance(correlation, "first").random() < 0.15

    def hangs_up_unread(self, request: int) -> bool:
        """Whether the connection is closed before the body of this request was read."""
        return self.chance("unread", request).random() < 0.005

    def chance(self, *about: object) -> random.Random:
        """Chance of its own for each thing that is decided."""
        return random.Random(f"{self.seed}/{about}")
