"""Shapes of decoded JSON: each takes a value and where it stands, and gives its canonical form.

A shape keeps the members it knows and drops the rest (H5); what breaks it raises `InvalidMessage`,
whose `field` is made of our own member names and positions, never of the caller's input (H2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Never
from urllib.parse import urlsplit

from optin.domain.errors import InvalidMessage

#: (value, field) -> canonical value. `field` is the path that an error names.
Shape = Callable[[object, str], Any]

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f]")


def refuse(field: str, rule: str) -> Never:
    """Raise `InvalidMessage` with the sentence "Field [field] rule."."""
    raise InvalidMessage(f"Field [{field}] {rule}.", field=field)


def is_absent(value: object) -> bool:
    """Whether a member counts as not given: null, blank text, an empty list.

    Clients that serialise every member of a class send these for what they do not use (H5).
    """
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def storable(value: object, field: str) -> None:
    """Refuse U+0000 and lone surrogates in any text or name, however deep, known member or not.

    No store takes them, and a batch must not be poisoned by one message. No recursion, so depth
    is no matter.
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and _UNSTORABLE.search(item):
            refuse(field, "can not hold U+0000 or half of a surrogate pair")
        if isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def text(longest: int | None = None) -> Shape:
    """A string that is not blank, of at most `longest` code points."""

    def shape(value: object, field: str) -> str:
        if not isinstance(value, str):
            refuse(field, "must be a string")
        if not value.strip():
            refuse(field, "can not be empty")
        if longest is not None and len(value) > longest:
            refuse(field, f"can not be longer than {longest} characters")
        return value

    return shape


def url(value: object, field: str) -> str:
    """An absolute http or https URL. It is the provider that fetches it, never this program."""
    given: str = text()(value, field)
    try:
        parts = urlsplit(given)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bad port or IPv6 literal
        good = False
    if not good or _NOT_IN_URL.search(given):
        refuse(field, "must be an http or https URL")
    return given


def number(low: float, high: float) -> Shape:
    """A JSON number from `low` to `high`, both included; NaN is none."""

    def shape(value: object, field: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(field, "must be a number")
        if not low <= value <= high:
            refuse(field, f"must be from {low} to {high}")
        return value

    return shape


def flag(value: object, field: str) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        refuse(field, "must be true or false")
    return value


def array(element: Shape, most: int | None = None) -> Shape:
    """A list of 1 to `most` elements, each of the shape `element`."""

    def shape(value: object, field: str) -> list[Any]:
        if not isinstance(value, list):
            refuse(field, "must be an array")
        if not value:
            refuse(field, "can not be empty")
        if most is not None and len(value) > most:
            refuse(field, f"can not have more than {most} elements")
        return [element(item, f"{field}[{place}]") for place, item in enumerate(value)]

    return shape


def record(
    required: Mapping[str, Shape] | None = None,
    optional: Mapping[str, Shape] | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Shape:
    """An object with these members. Optional ones not given get their default, or stay away."""
    must, may = required or {}, optional or {}

    def shape(value: object, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            refuse(field, "must be an object")
        for name in must:
            if is_absent(value.get(name)):
                refuse(f"{field}.{name}", "can not be empty")
        given = {name: item for name, item in value.items() if not is_absent(item)}
        known = {
            name: member(given[name], f"{field}.{name}")
            for name, member in {**must, **may}.items()
            if name in given
        }
        return {**(defaults or {}), **known}

    return shape


def tagged(variants: Mapping[str, Shape]) -> Shape:
    """An object whose `type` names which of the shapes it has; `type` stays in the result."""

    def shape(value: object, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            refuse(field, "must be an object")
        if is_absent(value.get("type")):
            refuse(f"{field}.type", "can not be empty")
        tag = value["type"]
        if not isinstance(tag, str) or tag not in variants:
            refuse(f"{field}.type", f"must be one of: {', '.join(variants)}")
        return {"type": tag, **variants[tag](value, field)}

    return shape
