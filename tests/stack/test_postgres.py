"""The data folder of a PostgreSQL of our own: from a template that other stacks use, discard and make anew."""

import os
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.stack import postgres
from resilience.stack.programs import Program

INITDB = """#!/bin/sh
while [ "$1" != -D ]; do shift; done
mkdir -p "$2" && touch "$2/PG_VERSION"
for word; do case "$word" in --pwfile=*) cp "${word#--pwfile=}" "$2/whose";; esac; done
"""
"""Makes a data folder that says whose it is: in place of the password, which a real one keeps to itself."""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Gives servers of stacks of their own, which share a template; `cp` may be another program."""
    monkeypatch.setenv("RESILIENCE_CACHE", str(tmp_path / "cache"))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("postgres", "#!/bin/sh\n"), ("initdb", INITDB)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def make(name: str, copying: str = "") -> postgres.Server:
        folder = tmp_path / name
        (folder / "bin").mkdir(parents=True)
        if copying:
            (folder / "bin" / "cp").write_text(f"#!/bin/sh\n{copying}\n")
            (folder / "bin" / "cp").chmod(0o755)
        environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TEMPLATES": str(tmp_path / "cache")}
        program = Program(name="postgres", path=programs / "postgres", version="15.0", origin="here")
        return postgres.Server(program, "", folder, environment)

    return make


def fits(made: postgres.Server, password: str) -> bool:
    """Whether the data folder is that of the password."""
    return (made.data / "whose").read_text() == password


def template_of(made: postgres.Server) -> Path:
    """Where the template is."""
    return made.template


def test_the_second_stack_has_the_first_ones_template(server):
    """It is made once; what is copied and the password belong together."""
    first, second = server("first"), server("second")
    passwords = [one.prepare()[1] for one in (first, second)]
    assert passwords[0] == passwords[1]
    assert all(fits(one, password) for one, password in zip((first, second), passwords, strict=True))


GONE = "case $4 in $TEMPLATES/*) rm -r $TEMPLATES/templates/*"
ANEW = "cd $TEMPLATES/templates/*/ && printf another > password && printf another > data/whose"


@pytest.mark.parametrize(
    "copying",
    [
        f'/bin/cp "$@" && {ANEW}',
        f'{ANEW} && /bin/cp "$@"',
        f'/bin/cp "$@" && {GONE};; esac',
        f'{GONE} && exit 1;; esac; /bin/cp "$@"',
    ],
    ids=["after the copy", "before the copy", "discarded after the copy", "discarded under the copy"],
)
def test_a_template_that_changes_meanwhile_is_not_believed(server, copying):
    """Another stack discards it and makes a new one while this one copies: data and password still belong together."""
    server("first").prepare()
    made = server("second", copying)
    _, password = made.prepare()
    assert fits(made, password)


def test_a_copy_that_fails_says_so(server):
    """The template is as it was, so it is the disk or the like: nothing is made in its place."""
    server("first").prepare()
    with pytest.raises(EnvironmentNotReady, match="cannot be copied"):
        server("second", "echo full >&2; exit 1").prepare()


def test_a_template_is_discarded_as_a_whole(server):
    """Nothing of it is left, and doing so once more is no error; the next stack makes another."""
    first = server("first")
    _, password = first.prepare()
    first.discard_template()
    assert list(template_of(first).parent.iterdir()) == []
    first.discard_template()
    assert server("second").prepare()[1] != password
