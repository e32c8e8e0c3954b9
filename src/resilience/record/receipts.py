"""What subscribers were given: one file of receipts per load process in the folder of the account.

The format is that of an account's ledger (`record.ledger`), whose lines mean something else here:

| column | of a line |
|---|---|
| `writer` | the subscriber, counted from 0 over all processes |
| `epoch` | which of its connections, counted from 0 |
| `seq` | which of that connection's lines, counted from 0 without gaps |
| `mark` | *attempted*: the subscription was confirmed; *seen*: a message that is intact; *wrong*: one that is not; \
*missed*: one that is no entry of this run; *rejected*: the connection is over |
| `status` | of a confirmation: a `Joined`; of an end: 1 if it was ours |
| `object`, `other`, `value` | of a message: writer, epoch, seq of its entry; of a confirmation `value` is the offset |

Lines are written in blocks: what was received in the last moment before the process dies is not in the file, and the
file is then not sealed.
"""

import zlib
from enum import IntEnum
from pathlib import Path

from resilience.columns import EffectLines, Mark
from resilience.errors import RecordError
from resilience.record.ledger import AccountWriter, read_ledger
from resilience.record.lines import CRC, EFFECT_LINE

RECEIPTS = "receipts"
_BLOCK = 1 << 16


class Joined(IntEnum):
    """How a subscription was confirmed. The numbers are the file format."""

    FIRST = 0  # nothing was asked for but what comes from now on
    RESUMED = 1  # the server says that nothing since the last offset is missing
    LOST = 2  # resuming was asked for, and the server says that something is missing
    ANEW = 3  # resuming was not asked for, although there was a connection before


class ReceiptWriter:
    """Writes the receipts of one process. Called from one native thread.

    Args:
        path: the file; must not exist.
        run: at most 16 ASCII characters.
        boot: the boot by whose clock instants are counted; empty for this machine's.

    Raises:
        RecordError: the file is there already, or cannot be made.
    """

    def __init__(self, path: Path, run: str, *, boot: str = "") -> None:
        self._file = _Blocks(path, run, boot=boot)

    def joined(self, subscriber: int, connection: int, how: Joined, at_ns: int, offset: int) -> None:
        """A subscription was confirmed: the first line of a connection."""
        self._file.note(Mark.ATTEMPTED, subscriber, connection, 0, at_ns, how, (offset, 0, 0))

    def message(
        self, subscriber: int, connection: int, seq: int, at_ns: int, mark: Mark, entry: tuple[int, int, int]
    ) -> None:
        """A message came: the entry that it is, as writer, epoch, seq, and whether it is as it was sent."""
        self._file.note(mark, subscriber, connection, seq, at_ns, 0, (entry[2], entry[0], entry[1]))

    def ended(self, subscriber: int, connection: int, seq: int, at_ns: int, *, ours: bool) -> None:
        """A connection is over: its last line."""
        self._file.note(Mark.REJECTED, subscriber, connection, seq, at_ns, int(ours))

    def flush(self) -> None:
        """Give the kernel what is waiting."""
        self._file.flush()

    def close(self) -> None:
        """Seal and close the file. Idempotent."""
        self._file.close()


class _Blocks(AccountWriter):
    """A ledger that is written in blocks."""

    def __init__(self, path: Path, run: str, *, boot: str = "") -> None:
        self._waiting = bytearray()
        super().__init__(path, run, boot=boot)

    def note(
        self,
        mark: Mark,
        writer: int,
        epoch: int,
        seq: int,
        at_ns: int,
        status: int = 0,
        effect: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        content = EFFECT_LINE.pack(at_ns, seq, writer, epoch, status, mark, *effect)
        self._waiting += content
        self._waiting += CRC.pack(zlib.crc32(content))
        self._count += 1
        if len(self._waiting) >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            block, self._waiting = bytes(self._waiting), bytearray()
            self._write(block)
            self._digest.update(block)

    def close(self) -> None:
        if self._file >= 0:
            try:
                self.flush()
            except RecordError:
                self._broken = True
                raise
            finally:
                super().close()


def receipts_of(account: str) -> str:
    """The folder of an account's receipts, as `record.folder.writes_of` wants it."""
    return f"{account}/{RECEIPTS}"


def read_receipts(folder: Path, account: str, *, run: str | None = None, finished: bool = True) -> EffectLines:
    """Read all receipts of an account, however damaged; what is wrong is reported. See `record.ledger.read_ledger`."""
    lines = read_ledger(folder, run=run, finished=finished, account=receipts_of(account))
    if not isinstance(lines, EffectLines):
        raise TypeError("receipts are lines of an account")
    return lines
