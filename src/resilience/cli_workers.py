"""The commands of `resilience` about who generates load: `worker`, `calibrate`."""

import json
import os
import sys
from collections.abc import Mapping
from typing import cast

import click

from resilience.errors import EnvironmentNotReady
from resilience.model import Json, Problem

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")


@click.command()
@click.option("--connect", required=True, metavar="HOST:PORT", help="Where the run listens for workers.")
def worker(connect: str) -> None:
    """Carry a share of the load of a run on another host; ends with it. The token is in RESILIENCE_WORKER_TOKEN.

    \b
    Example: RESILIENCE_WORKER_TOKEN=… resilience worker --connect 10.0.0.1:5557
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    import subprocess

    from resilience.ctk.workers import TOKEN

    host, colon, port = connect.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise click.UsageError(f"--connect {connect!r} is no address with a port; for example 10.0.0.1:5557")
    token = os.environ.get(TOKEN, "")
    if not token:
        hint = "take it from what the run says when it waits for workers"
        raise EnvironmentNotReady(Problem(TOKEN, "is not set: the run would not know this worker", hint))
    argv = [sys.executable, "-P", "-m", "resilience.load.workers.worker", "--connect", connect]
    environment = {name: value for name, value in os.environ.items() if name != TOKEN}
    done = subprocess.run(argv, input=f"{token}\n".encode(), env=environment, check=False)
    if done.returncode:
        hint = "what it said stands above" if done.returncode > 0 else ""
        raise EnvironmentNotReady(Problem(connect, f"the worker ended with code {done.returncode}", hint))


@click.command()
@click.option("--again", is_flag=True, help="Measure now, even if that was done in the last day.")
@json_option
def calibrate(again: bool, as_json: bool) -> None:
    """Measure, in about a second, how many operations per second this machine can offer."""
    from resilience.codec import encode
    from resilience.load.drivers.calibration import calibration

    found = calibration(again=again)
    if as_json:
        document = {**cast("Mapping[str, Json]", encode(found)), "machine_per_s": found.machine_per_s}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        return
    click.echo(
        f"one process can offer {found.per_worker_s:,.0f} operations/s, {found.cores} cores at most "
        f"{found.machine_per_s:,.0f}/s if nothing else needs them"
    )
    click.echo(f"at {found.offered_per_s:,.0f}/s operations began {found.lag_p99_s * 1000:.2f} ms late at p99")


COMMANDS = (worker, calibrate)
