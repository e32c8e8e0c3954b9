"""An HTTP server whose answers take a known time: `python -m benchmarks.latency_server FACTOR`.

`/read` takes 10 ms · FACTOR in the median, `/list` 20 ms, `/write` 30 ms, each drawn from a log-normal distribution
with a standard deviation of 0.3. On standard output it says its port; it ends with its standard input.
"""

import asyncio
import random
import sys

MEDIANS_S = {b"/read": 0.010, b"/list": 0.020, b"/write": 0.030}
SPREAD = 0.3
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def _serve(factor: float) -> None:
    draw = random.Random(7)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                slower = factor if path == b"/read" else 1.0
                await asyncio.sleep(MEDIANS_S[path] * slower * draw.lognormvariate(0.0, SPREAD))
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
    asyncio.run(_serve(float(sys.argv[1])))
