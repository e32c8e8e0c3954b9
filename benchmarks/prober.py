"""A client of its own that sends one small operation to Redis every two milliseconds, whatever became of the others.

`python -m benchmarks.prober HOST PORT PASSWORD_FILE OPERATION OUT`. It is as services are: it has a pool of `POOL`
connections, an operation for which none is free fails at once, and one on which something went wrong is closed. The
operation `connect` opens a connection each time instead, however many wait. At SIGTERM what was seen is written to OUT:
one row an operation, start and end in nanoseconds of the monotonic clock, and whether it was answered well.
"""

import asyncio
import signal
import sys
import time
from array import array
from pathlib import Path

RATE = 500
TIMEOUT_S = 0.25
POOL = 16
SCRIPT = b"for i=1,60000 do local x=i end return 1"
OPERATIONS = {
    "ping": b"PING\r\n",
    "set": b"SET resilience-probe 1 PX 1000\r\n",
    "work": b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(SCRIPT), SCRIPT),
    "connect": b"PING\r\n",
}
"""`work` takes about half a millisecond of the server's CPU; `connect` opens a connection each time."""
GOOD = (b"+PONG", b"+OK", b":")
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Prober:
    """See the module."""

    def __init__(self, host: str, port: int, password: str, operation: str) -> None:
        self._address, self._password, self._words = (host, port), password, OPERATIONS[operation]
        self._fresh = operation == "connect"
        self._idle: list[Connection] = []
        self._busy = 0
        self.rows = array("q")

    async def run(self, ended: asyncio.Event) -> None:
        """Send until told to end, then wait for what is under way."""
        began, number = time.monotonic(), 0
        tasks: set[asyncio.Task[None]] = set()
        while not ended.is_set():
            due = began + number / RATE
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            task = asyncio.create_task(self._one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)

    async def _one(self) -> None:
        start_ns = time.monotonic_ns()
        if self._busy >= POOL and not self._fresh:
            self.rows.extend((start_ns, start_ns, 0))
            return
        self._busy += 1
        connection: Connection | None = None
        well = False
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = await self._take()
                reader, writer = connection
                writer.write(self._words)
                answer = await reader.readline()
                well = answer.startswith(GOOD)
        except (OSError, TimeoutError):
            pass
        self._busy -= 1
        self.rows.extend((start_ns, time.monotonic_ns(), int(well)))
        if connection is not None:
            if well and not self._fresh:
                self._idle.append(connection)
            else:
                connection[1].close()

    async def _take(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        reader, writer = await asyncio.open_connection(*self._address)
        if self._password:
            writer.write(b"AUTH %s\r\n" % self._password.encode())
            await reader.readline()
        return reader, writer


async def _until_told(prober: Prober) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await prober.run(ended)


def main(host: str, port: str, password_file: str, operation: str, out: str) -> None:
    """Send until SIGTERM, then write down what was seen."""
    password = Path(password_file).read_text().strip() if password_file else ""
    prober = Prober(host, int(port), password, operation)
    asyncio.run(_until_told(prober))
    Path(out).write_bytes(prober.rows.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
