"""Starts the stand-in: `python -m resilience.provider --port 8080`.

Without `--port` it is PORT of the environment. The token to set faults with is new at each start, and is written to
the file that RESILIENCE_PROVIDER_TOKEN_FILE names, else to `provider.token` in the folder for temporary files, for its
owner alone. It listens on loopback addresses only.
"""

import argparse
import ipaddress
import logging
import os
import secrets
import sys
import tempfile
from pathlib import Path

from resilience.host import files

TOKEN_FILE = "RESILIENCE_PROVIDER_TOKEN_FILE"  # noqa: S105 - the name of a variable
NOT_READY = 4


def main() -> int:
    """Serve until SIGTERM or SIGINT; 3 if it is told something wrong, 4 if what it needs is not installed."""
    told = _arguments().parse_args()
    try:
        import uvicorn  # noqa: PLC0415 - an extra: said below if it is not there

        from resilience.provider.app import Cut, Provider  # noqa: PLC0415 - as above
    except ImportError as error:
        sys.stderr.write(f"{error}: pip install 'resilience[provider]'\n")
        return NOT_READY
    token = secrets.token_urlsafe(24)
    named = os.environ.get(TOKEN_FILE)
    files.write_durably(Path(named) if named else Path(tempfile.gettempdir()) / "provider.token", token.encode())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # An answer that was cut on purpose is no error of the server's.
    logging.getLogger("uvicorn.error").addFilter(
        lambda entry: not (entry.exc_info and isinstance(entry.exc_info[1], Cut))
    )
    provider = Provider(token, told.latency_ms / 1e3, told.word_ms / 1e3)
    uvicorn.run(
        provider.app(),
        host=told.host,
        port=told.port,
        log_config=None,
        access_log=False,
        ws="none",
        timeout_keep_alive=75,  # longer than a client's pool keeps an idle connection
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m resilience.provider", description="A provider to break.")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0") or 0), help="default: PORT")
    parser.add_argument("--latency-ms", type=float, default=10.0, help="before every answer")
    parser.add_argument("--word-ms", type=float, default=5.0, help="before every word of a stream")
    return parser


def _loopback(text: str) -> str:
    try:
        if ipaddress.ip_address(text).is_loopback:
            return text
    except ValueError:
        pass
    msg = f"{text!r} is no loopback address: nobody else may reach the stand-in"
    raise argparse.ArgumentTypeError(msg)


if __name__ == "__main__":
    sys.exit(main())
