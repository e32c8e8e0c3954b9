"""Ledger entries: how an entry of the write ledger is named, and what is sent as its body.

Both follow from (run, writer, epoch, seq) alone, so whoever reads the target's store later can say of every row whether
it is ours, which write it was and whether it is intact, without having seen the write. Bodies are made of arithmetic
that NumPy does for many entries at once: a store with ten million rows is compared byte by byte, not sampled.
"""

import hashlib
import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

_ID = re.compile(r"([0-9]{3,10})-([0-9]{3,10})-([0-9]{6,19})")
_MAX_32 = 2**31 - 1
_MAX_64 = 2**63 - 1
_MASK = 2**64 - 1

WRITER_DIGITS, EPOCH_DIGITS, SEQ_DIGITS = 3, 3, 6
"""The least number of digits of each part of an id; more are written where they are needed, never with a zero first."""

TAIL = 1 + 64 + 1 + 16
"""What a body has after the id, in characters."""

# Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): the constants of SplitMix64.
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WRITER, _EPOCH, _SEQ = 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
_WORDS = 5
_STEPS = np.array([number * _STEP & _MASK for number in range(1, _WORDS + 1)], np.uint64)[:, None]
_HEX = np.empty(1 << 16, np.uint32)
"""Four digits for each two bytes as they stand in memory, the higher one first."""
_HEX[np.arange(1 << 16, dtype=">u2").view(np.uint16)] = np.array(
    [f"{number:04x}".encode() for number in range(1 << 16)], "S4"
).view(np.uint32)


def prefix_of(run: str) -> str:
    """What every id of the run starts with."""
    return f"{run}-"


def format_id(run: str, writer: int, epoch: int, seq: int) -> str:
    """The id of an entry: `0badcafe-002-000-000017`; numbers grow longer rather than being cut."""
    return f"{run}-{writer:03d}-{epoch:03d}-{seq:06d}"


def format_object(run: str, account: int, number: int) -> str:
    """The name of an object of an account, the accounts of an experiment being counted from 0: an id of its shape."""
    return format_id(run, account, 0, number)


def parse_id(text: str, run: str) -> tuple[int, int, int] | None:
    """(writer, epoch, seq) of an id of this run.

    Returns:
        None if the text is not exactly what `format_id` writes: an id has one spelling, so two rows with different ids
        can never count as the same entry.
    """
    prefix = prefix_of(run)
    if not text.startswith(prefix):
        return None
    match = _ID.fullmatch(text, len(prefix))
    if match is None:
        return None
    writer, epoch, seq = (int(group) for group in match.groups())
    if writer > _MAX_32 or epoch > _MAX_32 or seq > _MAX_64 or format_id(run, writer, epoch, seq) != text:
        return None
    return writer, epoch, seq


def body_of(entry_id: str) -> str:
    """What is sent as the body of an entry: its id, and 80 characters derived from the run and the three numbers.

    A body that is cut, changed or stored under another id differs from `body_of` of the id it is stored under.
    """
    run, writer, epoch, seq = entry_id.rsplit("-", 3)
    at = _seed(run) + int(writer) * _WRITER + int(epoch) * _EPOCH + int(seq) * _SEQ
    words = []
    for number in range(1, _WORDS + 1):
        word = (at + number * _STEP) & _MASK
        word = (word ^ word >> 30) * _FIRST & _MASK
        word = (word ^ word >> 27) * _SECOND & _MASK
        words.append(word ^ word >> 31)
    return "{}|{:016x}{:016x}{:016x}{:016x}|{:016x}".format(entry_id, *words)


def tails_of(
    run: str, writer: npt.NDArray[np.int64], epoch: npt.NDArray[np.int64], seq: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """What `body_of` has after the id, for many entries at once: one row of `TAIL` bytes each."""
    at = writer.astype(np.uint64) * np.uint64(_WRITER) + epoch.astype(np.uint64) * np.uint64(_EPOCH)
    at += seq.astype(np.uint64) * np.uint64(_SEQ) + np.uint64(_seed(run))
    words = at + _STEPS
    shifted = words >> np.uint64(30)
    words ^= shifted
    words *= np.uint64(_FIRST)
    np.right_shift(words, np.uint64(27), out=shifted)
    words ^= shifted
    words *= np.uint64(_SECOND)
    np.right_shift(words, np.uint64(31), out=shifted)
    words ^= shifted
    digits = _HEX.take(words.T.astype(">u8", order="C").view(np.uint16)).view(np.uint8)
    tails = np.empty((len(at), TAIL), np.uint8)
    tails[:, [0, 65]] = ord("|")
    tails[:, 1:65] = digits[:, :64]
    tails[:, 66:] = digits[:, 64:]
    return tails


@lru_cache(maxsize=16)
def _seed(run: str) -> int:
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "little")
