"""`python -m resilience.wire -host 127.0.0.1 -port 8474 -config FILE`: options as of toxiproxy-server."""

import argparse
import asyncio
import ipaddress
import os
import resource
import secrets
import signal
import socket
import sys
from pathlib import Path

from resilience.wire.api import VERSION, Api
from resilience.wire.control import Control
from resilience.wire.minds import MINDS


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m resilience.wire", description=__doc__, allow_abbrev=False)
    for name, default, what in (
        ("host", "127.0.0.1", "where the control API listens; only addresses of this machine itself"),
        ("port", "8474", "its port"),
        ("config", "", "JSON file with the proxies to begin with"),
        ("seed", "", "of everything random; drawn and printed if none is given"),
        ("token-file", "", "file with the token that requests must carry as `Authorization: Bearer`"),
    ):
        parser.add_argument(f"-{name}", f"--{name}", default=default, help=what)
    parser.add_argument("-version", "--version", action="store_true", help="print the version")
    told = parser.parse_args()
    if told.version:
        print(f"toxiproxy-server version {VERSION}-resilience")  # noqa: T201 - what the option is for
        return 0
    _allow_many_connections()
    try:
        token = Path(told.token_file).read_text().strip() if told.token_file else ""
        config = Path(told.config).read_bytes() if told.config else b""
        return asyncio.run(_serve(told, token, config))
    except (OSError, ValueError) as error:
        print(f"resilience.wire: {error}", file=sys.stderr)  # noqa: T201 - the program's last word
        return 1


async def _serve(told: argparse.Namespace, token: str, config: bytes) -> int:
    seed = int(told.seed) if told.seed else secrets.randbits(32)
    api = Api(seed, MINDS)
    print(f"seed {seed}", flush=True)  # noqa: T201 - so that what was drawn can be drawn again
    if config:
        made, refused = await api.populate(config)
        said = "" if refused is None else f"; {refused}"
        print(f"made {len(made)} proxies from {told.config}{said}", flush=True)  # noqa: T201 - for the log
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Control(api.answer, token), sock=_listener(told.host, int(told.port)))
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await over.wait()
    server.close()
    api.close()
    return 0


def _allow_many_connections() -> None:
    """Each connection takes two file handles, and the usual limit is 1024: as many as we may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listener(host: str, port: int) -> socket.socket:
    """The control API can break whatever is behind its proxies: it never listens for other machines."""
    found = "127.0.0.1" if host == "localhost" else host
    address = ipaddress.ip_address(found)
    if not address.is_loopback:
        raise ValueError(f"host {host} is no loopback address; the control API listens for this machine only")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004 - the version's number
    return socket.create_server((found, port), family=family, backlog=128)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # connections that are still open are the kernel's business: do not wait for them
