"""An HTTP server whose answers take a known time: `python -m benchmarks.latency_server FACTOR [MILLISECONDS]`.

`/read` takes so many milliseconds · FACTOR in the median (10 if not said), `/list` twice and `/write` three times as
many, each drawn from a log-normal distribution with a standard deviation of 0.3. On standard output it says its port;
it ends with its standard input.
"""

import asyncio
import random
import sys

TIMES = {b"/read": 1.0, b"/list": 2.0, b"/write": 3.0}
SPREAD = 0.3
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def _serve(factor: float, unit_s: float) -> None:
    draw = random.Random(7)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                slower = factor if path == b"/read" else 1.0
                await asyncio.sleep(unit_s * TIMES[path] * slower * draw.lognormvariate(0.0, SPREAD))
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever asked is gone
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), float(sys.argv[2] if len(sys.argv) > 2 else 10) / 1e3))
