"""The `run`, `validate` and `discover` commands of the program `chaos`, for files that carry our extension.

chaostoolkit loads these through the entry-point group `chaostoolkit.cli_plugins`; a command with the name of one of its
own takes that one's place. For any other file they hand over to chaostoolkit's own command, unchanged.

What is different for our files: strict keys, every problem listed, rollbacks always played, no version check over the
network, the exit code is the verdict's (0 pass, 1 fail, 2 unknown, 3 wrong file, 4 environment not ready, 5 debts
outstanding).
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from resilience.errors import SpecError
from resilience.model import Problem
from resilience.spec.parse import carries_extension
from resilience.spec.text import read_text

OURS = "resilience"


def is_ours(source: str) -> bool:
    """Whether a file carries our extension, or names us and cannot be read: then its problems are ours to show."""
    path = Path(source)
    if not path.is_file():
        return False
    content = path.read_bytes()
    try:
        return carries_extension(read_text(content, path.name).data)
    except SpecError:
        return b"resilience" in content


def _without_version_check(group: click.Group) -> None:
    """Let chaostoolkit skip its question to the network when the command is about one of our files."""
    original = group.callback

    def callback(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's own signature
        if any(word == OURS or is_ours(word) for word in sys.argv[1:] if not word.startswith("-")):
            options["no_version_check"] = True
        return original(*args, **options) if original else None

    group.callback = callback


UNDERSTOOD = {"source", "journal_path", "hypothesis_strategy", "var", "var_file", "seed", "stack", "runs", "as_json"}
UNDERSTOOD |= {"settle", "consent"}
INSTEAD = {
    "dry": "`resilience plan FILE` prints what would be done",
    "no_validation": "the file decides what is done to a target, so it is always validated",
    "control_file": "controls fail open; declare what must hold as objectives",
    "rollback_strategy": "faults are leases and always given back; rollbacks in the file are always played",
    "fail_fast": "declare `safety.abort` objectives in the file",
}


def _run_ours(context: click.Context, source: str, options: dict[str, Any]) -> None:
    from resilience.ctk.run import Options, run_file, show_problems  # noqa: PLC0415 - only when it is one of ours

    given = [name for name in options if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE]
    problems = [
        Problem(
            f"--{name.replace('_', '-')}",
            "does not apply to an experiment with the resilience extension",
            INSTEAD.get(name, "leave it out"),
        )
        for name in given
        if name not in UNDERSTOOD
    ]
    if problems:
        context.exit(show_problems(SpecError(problems)))
    context.exit(
        run_file(
            Path(source),
            Options(
                seed=options["seed"],
                stack=options["stack"],
                runs=Path(options["runs"]),
                as_json=options["as_json"],
                settle=options["settle"],
                consent=tuple(options["consent"]),
                journal=Path(options["journal_path"]) if options["journal_path"] != "./journal.json" else None,
                hypothesis_strategy=options["hypothesis_strategy"] or "default",
                variables=(dict(options["var"] or {}), tuple(options["var_file"] or ())),
            ),
        )
    )


run_options: list[click.Parameter] = [
    click.Option(
        ["--seed"], type=int, default=None, help="Seed of everything random; drawn and recorded if not given."
    ),
    click.Option(
        ["--stack"], type=str, default=None, envvar="RESILIENCE_STACK", help="Run on this stack instead of the file's."
    ),
    click.Option(["--runs"], type=click.Path(), default="runs", show_default=True, help="Folder for records."),
    click.Option(["--settle"], is_flag=True, help="Settle what dead runs still owe, without asking."),
    click.Option(
        ["--consent"], multiple=True, metavar="NAME", help="Touch this, although it looks like production; repeatable."
    ),
    click.Option(
        ["--json", "as_json"], is_flag=True, help="Print the verdict as JSON and nothing else on standard output."
    ),
]


def _make_run(stock: click.Command) -> click.Command:
    ours = {parameter.name for parameter in run_options}

    @click.pass_context
    def callback(context: click.Context, /, source: str, **options: Any) -> None:  # noqa: ANN401
        if is_ours(source):
            _run_ours(context, source, options)
            return
        context.invoke(stock, source=source, **{name: value for name, value in options.items() if name not in ours})

    return click.Command(
        "run",
        callback=callback,
        params=[*stock.params, *run_options],
        help=f"{stock.help}\n\nAn experiment with the resilience extension ends with its verdict's exit code.",
    )


def _make_validate(stock: click.Command) -> click.Command:
    @click.pass_context
    def callback(context: click.Context, /, source: str, **options: Any) -> None:  # noqa: ANN401
        if is_ours(source):
            from resilience.ctk.run import validate_file  # noqa: PLC0415 - only when it is one of ours

            context.exit(validate_file(Path(source)))
        context.invoke(stock, source=source, **options)

    return click.Command("validate", callback=callback, params=list(stock.params), help=stock.help)


def _discover_ours(path: Path, *, system: bool) -> None:
    """Write down what runs here. chaostoolkit would ask an index for our name, and does not find editable installs."""
    from resilience import discover as listing  # noqa: PLC0415 - only when it is asked for

    found = listing(system)
    path.write_text(json.dumps(found, indent=2) + "\n")
    click.echo(f"{len(found['activities'])} actions and probes of {OURS} are described in {path}")


def _make_discover(stock: click.Command) -> click.Command:
    @click.pass_context
    def callback(context: click.Context, /, package: str, **options: Any) -> None:  # noqa: ANN401
        if package == OURS or is_ours(package):
            _discover_ours(Path(options["discovery_path"]), system=not options["no_system_info"])
            return
        context.invoke(stock, package=package, **options)

    return click.Command(
        "discover",
        callback=callback,
        params=list(stock.params),
        help=f"{stock.help}\n\nFor `{OURS}`, or an experiment with its extension, nothing is installed.",
    )


def _make(name: str, maker: Callable[[click.Command], click.Command]) -> click.Command:
    """Take the place of a stock command. chaostoolkit imports this module once its own commands are in place."""
    from chaostoolkit.commands import cli  # noqa: PLC0415 - it is what imports us

    return maker(cli.commands[name])


run = _make("run", _make_run)
validate = _make("validate", _make_validate)
discover = _make("discover", _make_discover)


def _install() -> None:
    from chaostoolkit.commands import cli  # noqa: PLC0415 - as above

    _without_version_check(cli)


_install()
