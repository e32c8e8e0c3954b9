"""The write ledger on disk: one append-only binary file per process in `writes/`.

A file is a header, lines of fixed size each with its CRC-32, and a seal. All numbers are little-endian.

* header (64 bytes): magic, version, size of a line, run, boot id, monotonic and wall clock in ns, CRC-32
* line (32 bytes): at_ns, seq, writer, epoch, status, mark, CRC-32
* seal (64 bytes): magic, number of lines, BLAKE2b-256 over all lines, CRC-32

A line is in the kernel's page cache before `note` returns, so it survives SIGKILL of the process (not the loss of the
host, which a run does not survive either: its instants belong to one boot).
"""

import hashlib
import os
import struct
import time
import uuid
import zlib
from pathlib import Path

from resilience.columns import Mark
from resilience.errors import RecordError
from resilience.host.processes import boot_id

SUFFIX = ".ledger"
VERSION = 1
HEADER_MAGIC = b"RSLEDGER"
SEAL_MAGIC = b"RSLSEAL\0"
HEADER = struct.Struct("<8sHH16s16sqq")
LINE = struct.Struct("<qQIIhBx")
SEAL = struct.Struct("<8sQ32s12x")
CRC = struct.Struct("<I")
HEADER_SIZE = HEADER.size + CRC.size
LINE_SIZE = LINE.size + CRC.size
SEAL_SIZE = SEAL.size + CRC.size
RUN_SIZE = 16


def with_crc(content: bytes) -> bytes:
    """The content, and its CRC-32 behind it."""
    return content + CRC.pack(zlib.crc32(content))


class LedgerWriter:
    """Writes the ledger of one process. Called from one native thread; greenlets are fine, it never yields.

    Args:
        path: the file, `writes/<anything>.ledger`; must not exist.
        run: at most 16 ASCII characters.

    Raises:
        RecordError: the file is there already, or cannot be made.
    """

    def __init__(self, path: Path, run: str) -> None:
        name = run.encode("ascii")
        if not 0 < len(name) <= RUN_SIZE:
            msg = f"{run!r} cannot name a run: 1 to {RUN_SIZE} ASCII characters were expected"
            raise RecordError(msg)
        self._path = path
        self._count = 0
        self._digest = hashlib.blake2b(digest_size=32)
        self._broken = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = f"the ledger {path} cannot be made: {error}"
            raise RecordError(msg) from error
        boot = uuid.UUID(boot_id()).bytes
        clocks = (time.monotonic_ns(), time.time_ns())
        self._write(with_crc(HEADER.pack(HEADER_MAGIC, VERSION, LINE_SIZE, name, boot, *clocks)))

    def note(  # noqa: PLR0913, PLR0917 - one line of the file, as its fields stand there
        self, mark: Mark, writer: int, epoch: int, seq: int, at_ns: int, status: int = 0
    ) -> None:
        """Write one line down before returning.

        Raises:
            RecordError: it could not be written (disk full). Nothing may be sent any more.
        """
        content = LINE.pack(at_ns, seq, writer, epoch, status, mark)
        line = content + CRC.pack(zlib.crc32(content))
        self._write(line)
        self._digest.update(line)
        self._count += 1

    def close(self) -> None:
        """Seal and close the file. Idempotent. A ledger that could not be written to stays unsealed.

        Raises:
            RecordError: the seal could not be written.
        """
        if self._file < 0:
            return
        try:
            if not self._broken:
                self._write(with_crc(SEAL.pack(SEAL_MAGIC, self._count, self._digest.digest())))
                os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1

    def _write(self, content: bytes) -> None:
        if self._broken or self._file < 0:
            msg = f"the ledger {self._path} is {'broken' if self._broken else 'closed'}; nothing may be sent any more"
            raise RecordError(msg)
        try:
            written = os.write(self._file, content)
        except OSError as error:
            self._broken = True
            msg = f"the ledger {self._path} cannot be written: {error}; nothing may be sent any more"
            raise RecordError(msg) from error
        if written != len(content):
            self._broken = True
            msg = f"the ledger {self._path} is full: {written} of {len(content)} bytes were written"
            raise RecordError(msg)
