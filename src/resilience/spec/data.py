"""Test data: the n-th record of a field, from (seed, field, n) alone. Pure.

Nothing is kept and nothing is drawn in turn, so a million records cost no memory, and the millionth is the same whoever
asks for it, in whatever order, in whatever process. Every value comes from a keyed hash (BLAKE2b) of the record's
number, whose key is made of the seed and the field's name.

E-mail addresses end in `example.com` and telephone numbers begin with +1 555 01, which are nobody's (RFC 2606; the
North American Numbering Plan keeps 555-0100 to 555-0199 for fiction).
"""

import hashlib
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from resilience.model import DataField
from resilience.spec.words import FIRST_NAMES, LAST_NAMES, WORDS

Value = Callable[[int], str]
"""The text of a record's field, by the record's number from 0."""

KINDS = (
    "name",
    "first-name",
    "last-name",
    "email",
    "phone",
    "text",
    "number",
    "decimal",
    "boolean",
    "choice",
    "uuid",
    "timestamp",
)
"""What a field can hold."""

TYPED = frozenset({"number", "decimal", "boolean"})
"""Kinds whose values stand in JSON as what they are, not as text, where nothing else stands beside them."""

MOST_TEXT = 1_000_000
_ALL = 2**64
_WORD_BYTES = 8
_FIRST_INSTANT, _LAST_INSTANT = "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


def bounds(field: DataField) -> tuple[float, float]:
    """The least and the most of a number, or of a text's length in characters; defaults where none is given."""
    least, most = {"text": (20.0, 80.0), "decimal": (0.0, 1.0)}.get(field.kind, (0.0, 999_999.0))
    first = least if field.least is None else field.least
    last = max(most, first) if field.most is None else field.most
    return first, last


def instants(field: DataField) -> tuple[datetime, datetime]:
    """The earliest and the latest instant of a timestamp, as written.

    Raises:
        ValueError: one of them is no instant.
    """
    first, last = (
        datetime.fromisoformat(text) for text in (field.earliest or _FIRST_INSTANT, field.latest or _LAST_INSTANT)
    )
    return tuple(at if at.tzinfo else at.replace(tzinfo=UTC) for at in (first, last))  # type: ignore[return-value]


def values_of(field: DataField, seed: int) -> Value:
    """What makes the records of a field.

    Args:
        field: as declared and checked.
        seed: of the plan.
    """
    key = hashlib.blake2b(f"{seed}|{field.name}".encode(), digest_size=32).digest()

    def words(index: int) -> Sequence[int]:
        """Four independent numbers in [0, 2^64)."""
        digest = hashlib.blake2b(index.to_bytes(8, "little"), digest_size=32, key=key).digest()
        return [int.from_bytes(digest[at : at + _WORD_BYTES], "little") for at in range(0, 32, _WORD_BYTES)]

    return _MAKERS[field.kind](field, words, key)


Words = Callable[[int], Sequence[int]]


def _name(_field: DataField, words: Words, _key: bytes) -> Value:
    def value(index: int) -> str:
        first, last, *_ = words(index)
        return f"{_of(FIRST_NAMES, first)} {_of(LAST_NAMES, last)}"

    return value


def _first_name(_field: DataField, words: Words, _key: bytes) -> Value:
    return lambda index: _of(FIRST_NAMES, words(index)[0])


def _last_name(_field: DataField, words: Words, _key: bytes) -> Value:
    return lambda index: _of(LAST_NAMES, words(index)[0])


def _email(_field: DataField, words: Words, _key: bytes) -> Value:
    def value(index: int) -> str:
        first, last, *_ = words(index)
        # With its number no two records have the same.
        return f"{_of(FIRST_NAMES, first)}.{_of(LAST_NAMES, last)}.{index}@example.com".lower()

    return value


def _phone(_field: DataField, words: Words, _key: bytes) -> Value:
    def value(index: int) -> str:
        area, line, *_ = words(index)
        return f"+1{200 + _below(area, 800)}55501{_below(line, 100):02d}"

    return value


def _text(field: DataField, words: Words, key: bytes) -> Value:
    least, most = (int(bound) for bound in bounds(field))

    def value(index: int) -> str:
        length = least + _below(words(index)[0], most - least + 1)
        found, size = [], 0
        for word in _prose(index, key):
            found.append(word)
            size += len(word) + 1
            if size > length:
                break
        text = " ".join(found)[:length]
        return f"{text[:-1]}." if text.endswith(" ") else text

    return value


def _prose(index: int, key: bytes) -> Iterator[str]:
    """Words without end."""
    block = 0
    while True:
        block += 1
        digest = hashlib.blake2b(index.to_bytes(8, "little") + block.to_bytes(8, "little"), key=key).digest()
        yield from (WORDS[byte % len(WORDS)] for byte in digest)


def _number(field: DataField, words: Words, _key: bytes) -> Value:
    least, most = (int(bound) for bound in bounds(field))
    return lambda index: str(least + _below(words(index)[0], most - least + 1))


def _decimal(field: DataField, words: Words, _key: bytes) -> Value:
    least, most = bounds(field)
    scale = 10**field.places
    steps = round((most - least) * scale) + 1
    return lambda index: f"{least + _below(words(index)[0], steps) / scale:.{field.places}f}"


def _boolean(_field: DataField, words: Words, _key: bytes) -> Value:
    return lambda index: "true" if words(index)[0] & 1 else "false"


def _choice(field: DataField, words: Words, _key: bytes) -> Value:
    of: Mapping[str, float] = field.of
    texts, sums = tuple(of), list(accumulate(of.values()))
    last = len(texts) - 1
    return lambda index: texts[min(bisect_right(sums, words(index)[0] / _ALL * sums[-1]), last)]


def _uuid(_field: DataField, words: Words, _key: bytes) -> Value:
    def value(index: int) -> str:
        high, low, *_ = words(index)
        return str(uuid.UUID(int=high << 64 | low, version=4))

    return value


def _timestamp(field: DataField, words: Words, _key: bytes) -> Value:
    first, last = instants(field)
    seconds = int((last - first).total_seconds()) + 1

    def value(index: int) -> str:
        at = first + timedelta(seconds=_below(words(index)[0], seconds))
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return value


_MAKERS: Mapping[str, Callable[[DataField, Words, bytes], Value]] = {
    "name": _name,
    "first-name": _first_name,
    "last-name": _last_name,
    "email": _email,
    "phone": _phone,
    "text": _text,
    "number": _number,
    "decimal": _decimal,
    "boolean": _boolean,
    "choice": _choice,
    "uuid": _uuid,
    "timestamp": _timestamp,
}


def _below(word: int, count: int) -> int:
    """A number in [0, count) from one in [0, 2^64): Lemire's multiplication, uneven by less than count / 2^64."""
    return word * count >> 64


def _of(texts: Sequence[str], word: int) -> str:
    return texts[_below(word, len(texts))]
