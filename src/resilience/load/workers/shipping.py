"""Files that a worker on another host writes, copied to the record while they grow, in pieces that are acknowledged.

The worker writes samples and ledger to a folder of its own as any load process does, so what it has noted survives its
own end. From there they are sent: at most WINDOW pieces of at most PIECE bytes are under way at a time; what does not
fit waits on the worker's disk. Each piece says where in its file it belongs. The master's side appends it if that is
where the file ends, and answers with where the file ends now, so a piece that was lost or doubled on the way does no
harm. A ledger is appended to in place. Any other file appears under its name when it is whole.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from resilience.record.folder import ACCOUNTS, SAMPLES, WRITES
from resilience.record.ledger import SUFFIX
from resilience.record.receipts import RECEIPTS
from resilience.record.samples import SEAL_SUFFIX

PIECE = 1 << 16
WINDOW = 32
PATIENCE_S = 3.0
"""What is not acknowledged for this long is sent again."""


class _File:
    """How far a file was sent, and how far it is known to have come."""

    def __init__(self) -> None:
        self.sent = self.known = 0
        self.whole = False


class Sender:
    """Sends what is written in a folder.

    Args:
        folder: in which `samples` and `writes` are.
        send: sends one piece; does not wait for it to come.
    """

    def __init__(self, folder: Path, send: Callable[[Mapping[str, Any]], None]) -> None:
        self._folder = folder
        self._send = send
        self._files: dict[str, _File] = {}
        self._progress_s = 0.0

    def known(self, told: Mapping[str, Any], now_s: float) -> None:
        """The other side says how far a file has come."""
        file = self._files.get(str(told["path"]))
        if file is None:
            return
        size = int(told["size"])
        if size > file.known:
            file.known = size
            self._progress_s = now_s
        elif size < file.sent and told.get("gap"):
            file.sent = size  # something before it was lost
        if file.whole and file.known >= file.sent and not str(told["path"]).endswith(SUFFIX):
            (self._folder / str(told["path"])).unlink(missing_ok=True)

    def go_on(self, now_s: float) -> bool:
        """Send what may be sent now; return whether everything that is written has come."""
        under_way = sum(file.sent - file.known for file in self._files.values())
        if under_way == 0:
            self._progress_s = now_s
        elif now_s > self._progress_s + PATIENCE_S:
            for file in self._files.values():
                file.sent = file.known
                file.whole = file.whole and file.sent == file.known and file.known > 0
            under_way, self._progress_s = 0, now_s
        complete = True
        for path in self._written():
            file = self._files.setdefault(path, _File())
            for piece in self._pieces(path, file, WINDOW * PIECE - under_way):
                under_way += len(piece["data"])
                self._send(piece)
            complete = complete and self._come(path, file)
        return complete

    def _come(self, path: str, file: _File) -> bool:
        if not path.endswith(SUFFIX) and file.whole and file.known >= file.sent:
            return True
        try:
            return file.known >= (self._folder / path).stat().st_size
        except OSError:
            return file.whole

    def _written(self) -> Iterator[str]:
        """Ledgers first: what they say is needed most."""
        for pattern in (f"{WRITES}/**/*{SUFFIX}", f"{SAMPLES}/*.parquet", f"{SAMPLES}/_*{SEAL_SUFFIX}"):
            for path in sorted(self._folder.glob(pattern)):
                if not path.name.startswith("."):
                    yield path.relative_to(self._folder).as_posix()

    def _pieces(self, path: str, file: _File, room: int) -> Iterator[dict[str, Any]]:
        grows = path.endswith(SUFFIX)
        with (self._folder / path).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(file.sent)
            while file.sent < size and room > 0:
                data = stream.read(min(PIECE, size - file.sent))
                last = not grows and file.sent + len(data) == size
                piece = {"kind": "piece", "path": path, "at": file.sent, "data": data, "last": last}
                file.sent += len(data)
                file.whole = last
                room -= len(data)
                yield piece


class Receiver:
    """Takes the pieces of one worker.

    Args:
        folder: of the run.
        name: of the worker, which its files are called after: it can write no others.
        accounts: of the ledger.
    """

    def __init__(self, folder: Path, name: str, accounts: Sequence[str]) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        self._done: set[str] = set()
        within = "|".join(f"{ACCOUNTS}/{re.escape(account)}/({RECEIPTS}/)?" for account in accounts)
        self._ledger = re.compile(f"{WRITES}/({within})?{re.escape(name + SUFFIX)}")
        self._samples = re.compile(rf"{SAMPLES}/({re.escape(name)}-\d{{5}}\.parquet|_{re.escape(name + SEAL_SUFFIX)})")

    def take(self, piece: Mapping[str, Any]) -> dict[str, Any]:
        """Write a piece down; return what is to be answered.

        Raises:
            TypeError: it is no piece.
            ValueError: it is of a file that is not this worker's to write.
            OSError: it cannot be written.
        """
        path, at, data = piece.get("path"), piece.get("at"), piece.get("data")
        if not isinstance(path, str) or not isinstance(at, int) or not isinstance(data, bytes):
            raise TypeError(f"a piece of {path!r} at {at!r} cannot be understood")
        grows = self._ledger.fullmatch(path) is not None
        if not grows and self._samples.fullmatch(path) is None:
            raise ValueError(f"a worker sent a piece of {path!r}, which is not its to write")
        size = self._sizes.get(path, 0)
        if at != size or path in self._done:
            return {"kind": "come", "path": path, "size": size, "gap": at > size}
        target = self._folder / path
        beside = target if grows else target.with_name(f".{target.name}.part")
        beside.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("ab" if size else "wb") as stream:
            stream.write(data)
        self._sizes[path] = size + len(data)
        if piece.get("last") is True and not grows:
            beside.rename(target)
            self._done.add(path)
        return {"kind": "come", "path": path, "size": self._sizes[path]}

    def close(self) -> None:
        """Nothing more comes: what is not whole goes."""
        for path in self._sizes.keys() - self._done:
            target = self._folder / path
            target.with_name(f".{target.name}.part").unlink(missing_ok=True)
