"""A pack made ready to read with: its phrases by what they say, and where they stand in a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

from optin.domain.folding import comparable
from optin.domain.packs.pack import Pack


class Role(Enum):
    """What a phrase does in a request; of two roles of one phrase the later counts."""

    POLITE = auto()
    SENDING = auto()
    MESSAGES = auto()
    PROMOTION = auto()
    ENDING = auto()
    REFUSING = auto()  # an `ENDING` that takes back what follows it
    ALONE = auto()
    MARKETING_STOP = auto()
    STOP = auto()
    IDIOM = auto()


#: The roles without which there is nothing to read in a text.
ASKING: Final = frozenset((Role.ENDING, Role.REFUSING, Role.ALONE, Role.MARKETING_STOP, Role.STOP))


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase in a text: from piece `start` until before piece `end`."""

    role: Role
    start: int
    end: int

    def is_within(self, other: Found) -> bool:
        """Whether it is part of the other, or the same."""
        return other.start <= self.start and self.end <= other.end


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The phrases of one pack. A text is read by its pieces: its words, or in a language that
    does not part them, its letters. `own` are a bot's own stop phrases, which count besides.
    """

    roles: Mapping[str, Role]
    stems: Mapping[str, Role]
    spaced: bool
    longest: int  # pieces of the longest phrase
    shortest_stem: int
    has_idioms: bool

    @classmethod
    def of(cls, pack: Pack) -> Self:
        """The pack's phrases, folded as messages are."""
        listed = (
            (Role.POLITE, pack.polite),
            (Role.SENDING, pack.sending),
            (Role.MESSAGES, pack.messages),
            (Role.PROMOTION, pack.promotions),
            (Role.ENDING, pack.ending),
            (Role.REFUSING, pack.refusing),
            (Role.ALONE, pack.alone),
            (Role.MARKETING_STOP, pack.marketing_stop),
            (Role.STOP, pack.stop),
            (Role.IDIOM, pack.idioms),
        )
        roles: dict[str, Role] = {}
        stems: dict[str, Role] = {}
        for role, entries in listed:
            for entry in entries:
                if entry.endswith("*"):
                    stems[" ".join(comparable(entry[:-1]))] = role
                else:
                    roles[" ".join(comparable(entry))] = role
        if not pack.spaced:
            roles |= {phrase.replace(" ", ""): role for phrase, role in roles.items()}
        longest = max(len(p.split() if pack.spaced else p) for p in roles) if roles else 0
        shortest = min(map(len, stems), default=1000)
        return cls(roles, stems, pack.spaced, longest, shortest, bool(pack.idioms))

    def asking(self) -> Iterator[str]:
        """The phrases without which no text is a request or worth a review."""
        return (phrase for phrase, role in self.roles.items() if role in ASKING)

    def covering(self, words: Sequence[str], own: AbstractSet[str]) -> tuple[Found, ...]:
        """The phrases that make up the whole text; none of them if a piece would be left over."""
        pieces: Sequence[str] = words if self.spaced else "".join(words)
        longest = self._longest(own)
        dead: set[int] = set()  # no way leads from there to the end

        def rest(start: int) -> tuple[Found, ...] | None:
            if start == len(pieces):
                return ()
            for end in range(min(len(pieces), start + longest), start, -1):
                role = None if end in dead else self._role(pieces, start, end, own)
                after = None if role is None else rest(end)
                if role is not None and after is not None:
                    return (Found(role, start, end), *after)
            dead.add(start)
            return None

        return rest(0) or ()

    def found(self, words: Sequence[str], own: AbstractSet[str]) -> list[Found]:
        """Every phrase in the text, whether or not inside another, but none inside an idiom."""
        pieces: Sequence[str] = words if self.spaced else " ".join(words)
        longest = self._longest(own)
        phrases = [
            Found(role, start, end)
            for start in range(len(pieces))
            for end in range(start + 1, min(len(pieces), start + longest) + 1)
            if (role := self._role(pieces, start, end, own))
            if self._stands_apart(pieces, start, end)
        ]
        idioms = [each for each in phrases if each.role is Role.IDIOM]
        return [each for each in phrases if not any(map(each.is_within, idioms))]

    def idioms(self, words: Sequence[str]) -> list[Found]:
        """The idioms in the text; none in a language that parts no words."""
        if not (self.spaced and self.has_idioms):
            return []
        return [
            Found(Role.IDIOM, start, end)
            for start in range(len(words))
            for end in range(start + 1, min(len(words), start + self.longest) + 1)
            if self.roles.get(" ".join(words[start:end])) is Role.IDIOM
        ]

    def _longest(self, own: AbstractSet[str]) -> int:
        return max([self.longest, *(len(p.split() if self.spaced else p) for p in own)])

    def _role(
        self, pieces: Sequence[str], start: int, end: int, own: AbstractSet[str]
    ) -> Role | None:
        if end - start == 1 and self.spaced:
            phrase = pieces[start]
            role = self.roles.get(phrase) or self._stem_role(phrase)
        else:
            phrase = " ".join(pieces[start:end]) if self.spaced else str(pieces[start:end])
            role = self.roles.get(phrase)
        return Role.STOP if phrase in own else role

    def _stem_role(self, word: str) -> Role | None:
        lengths = range(len(word), self.shortest_stem - 1, -1)
        return next((role for n in lengths if (role := self.stems.get(word[:n]))), None)

    def _stands_apart(self, pieces: Sequence[str], start: int, end: int) -> bool:
        """Letters of Latin script make words also where those around them do not."""
        if self.spaced:
            return True
        return not any(
            _is_latin(inside) and _is_latin(outside)
            for inside, outside in (
                (pieces[start], pieces[start - 1] if start else ""),
                (pieces[end - 1], pieces[end] if end < len(pieces) else ""),
            )
        )


def _is_latin(piece: str) -> bool:
    return piece.isascii() and piece.isalnum()
