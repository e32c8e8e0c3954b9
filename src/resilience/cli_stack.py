"""The commands `resilience up`, `down` and `status`: a stack that stays between experiments."""

import json
import sys
from pathlib import Path

import click

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--file", "path", type=FILE, help="Run the service that this experiment declares; else the reference target."
)
@click.option(
    "--protocol",
    "proxied",
    multiple=True,
    type=click.Choice(["postgres", "redis"]),
    help="Put the protocol proxy before this part, for faults of its protocol; what the file needs is there anyhow.",
)
def up(path: Path | None, proxied: tuple[str, ...]) -> None:
    """Start the embedded stack and keep it running between experiments."""
    import os

    from resilience.model import Region, Service, StackSpec
    from resilience.stack import kept
    from resilience.stack.variants import varied
    from resilience.stack.wanted import Wanted

    spec = StackSpec(service=Service(command=("python", "-m", "fixtures.target")))
    folder = Path.cwd()
    regions: tuple[Region, ...] = ()
    if path is not None:
        from resilience.ctk.run import load_file
        from resilience.ctk.wiring import wired

        experiment = load_file(path)
        spec, folder, regions = experiment.stack, Path(experiment.folder), experiment.load.regions
        proxied += wired(experiment, any_seed=True)
    wanted = Wanted.of(varied(spec, os.environ), os.environ.get("TARGET_BUGS", ""), folder, proxied, regions)
    places = kept.up(wanted, notify=click.echo)
    for name, place in places.items():
        click.echo(f"{name}: {place.url or f'{place.host}:{place.port}'}")


@click.command()
def down() -> None:
    """Stop the stack that was kept running."""
    from resilience.stack import kept

    click.echo("stopped" if kept.down() else "no stack was kept running")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def status(as_json: bool) -> None:
    """Say what of the kept stack runs; exit 4 if a part is not well or there is none."""
    from resilience.codec import encode
    from resilience.stack import kept

    state = kept.status()
    if as_json:
        click.echo(json.dumps(encode(state), indent=2, ensure_ascii=False, allow_nan=False))
    elif not state.folder:
        click.echo("no stack is kept running; `resilience up` starts one")
    else:
        for name, wrong in state.parts.items():
            click.echo(f"{name}: {wrong or 'well'}")
    sys.exit(0 if state.healthy else 4)


COMMANDS = (up, down, status)
