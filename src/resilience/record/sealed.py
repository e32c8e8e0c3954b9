"""The lines of a sealed ledger file, gone through once: whether they are as they were sealed, and how far entries go.

A file of ten million writes takes longer to be digested than to be read, and that by a thread of its own.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from resilience.columns import Mark
from resilience.judge.places import runs

_SIGNED_32, _SIGNED_64 = 2**31, 2**63
_MARKS = (min(Mark).value, max(Mark).value)


class Sealed(NamedTuple):
    """What the lines say.

    Attributes:
        digest: over all of them.
        highest: code of writer and epoch → highest seq; None if some line has a number or a mark that is none of ours.
    """

    digest: bytes
    highest: dict[int, int] | None


def go_through(blocks: Iterable[npt.NDArray[Any]]) -> Sealed:
    """Go through the lines of a file; damaged ones raise nothing, the digest tells."""
    digest = hashlib.blake2b(digest_size=32)
    highest: dict[int, int] | None = {}
    with ThreadPoolExecutor(1, "resilience-ledger") as beside:
        pending: Future[None] | None = None
        for lines in blocks:
            if pending is not None:
                pending.result()  # one block is digested while the next is read: no more are held
            pending = beside.submit(digest.update, lines.view(np.uint8).data)
            highest = None if highest is None else _higher(highest, lines)
        if pending is not None:
            pending.result()
    return Sealed(digest.digest(), highest)


def _higher(highest: dict[int, int], lines: npt.NDArray[Any]) -> dict[int, int] | None:
    """The highest of those before and of these lines."""
    if len(lines) == 0:
        return highest
    writer, epoch, seq, mark = (np.ascontiguousarray(lines[name]) for name in ("writer", "epoch", "seq", "mark"))
    if writer.max() >= _SIGNED_32 or epoch.max() >= _SIGNED_32 or seq.max() >= _SIGNED_64:
        return None
    if mark.min() < _MARKS[0] or mark.max() > _MARKS[1]:
        return None
    code, run = runs(writer.view(np.int32), epoch.view(np.int32))
    here = np.zeros(len(code), np.int64)
    np.maximum.at(here, run, seq.view(np.int64))
    for key, last in zip(code.tolist(), here.tolist(), strict=True):
        highest[key] = max(last, highest.get(key, 0))
    return highest
