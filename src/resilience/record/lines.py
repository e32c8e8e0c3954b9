"""Lines of the write ledger as they stand in its files: their fields, their size, and whether they are intact."""

import struct
import zlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

LINE = struct.Struct("<qQIIhBx")
EFFECT_LINE = struct.Struct("<qQIIhBxqII")
CRC = struct.Struct("<I")
LINE_SIZE = LINE.size + CRC.size
_FIELDS = [
    ("at_ns", "<i8"),
    ("seq", "<u8"),
    ("writer", "<u4"),
    ("epoch", "<u4"),
    ("status", "<i2"),
    ("mark", "u1"),
    ("unused", "u1"),
]
_EFFECT = [("value", "<i8"), ("object", "<u4"), ("other", "<u4")]
_CRC = [("crc", "<u4")]


class Form(NamedTuple):
    """One version of the format: what a line is.

    Attributes:
        version: as in the header.
        line: a line without its CRC-32.
        dtype: a line with it, for NumPy.
        kinds: its columns, and of which type they are once they are read.
    """

    version: int
    line: struct.Struct
    dtype: np.dtype[Any]
    kinds: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of a line."""
        return self.line.size + CRC.size


_KINDS: dict[str, Any] = {
    "writer": np.int32,
    "epoch": np.int32,
    "seq": np.int64,
    "mark": np.int8,
    "status": np.int16,
    "at_ns": np.int64,
}
PLAIN = Form(1, LINE, np.dtype(_FIELDS + _CRC), _KINDS)
EFFECTS = Form(
    2,
    EFFECT_LINE,
    np.dtype(_FIELDS + _EFFECT + _CRC),
    _KINDS | dict.fromkeys(("object", "other", "value"), np.int64),
)


def with_crc(content: bytes) -> bytes:
    """The content, and its CRC-32 behind it."""
    return content + CRC.pack(zlib.crc32(content))


_BLOCK = 1 << 14
"""Lines checked at once: half a megabyte, which stays in the processor's cache."""


def intact(content: npt.NDArray[np.uint8], form: Form) -> npt.NDArray[np.bool_]:
    """Which lines have the right CRC-32.

    CRC-32 is affine over XOR: for messages of one length, crc(a ⊕ b) = crc(a) ⊕ crc(b) ⊕ crc(0). A line is the XOR of
    its two-byte words, each alone among zeros, so its CRC is crc(0) ⊕ the XOR over all words w at place i of
    table[i][w] = crc(w alone at place i) ⊕ crc(0). That is one look-up for two bytes, for all lines at once.
    """
    zero, tables = _crc_tables(form.line.size)
    words = content.view("<u2").reshape(-1, form.size // 2)
    stored = content.view(form.dtype)["crc"]
    good = np.empty(len(words), np.bool_)
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        crc = np.full(len(block), zero, np.uint32)
        for place, table in enumerate(tables):
            crc ^= table[block[:, place]]
        good[start : start + _BLOCK] = crc == stored[start : start + _BLOCK]
    return good


@cache
def _crc_tables(size: int) -> tuple[int, npt.NDArray[np.uint32]]:
    zero = zlib.crc32(bytes(size))
    single = np.array(
        [[zlib.crc32(bytes(place) + bytes([byte]) + bytes(size - place - 1)) ^ zero for byte in range(256)]
         for place in range(size)],
        np.uint32,
    )  # fmt: skip
    low, high = single[0::2, None, :], single[1::2, :, None]
    return zero, (high ^ low).reshape(size // 2, -1)
