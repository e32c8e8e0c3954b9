"""What README and docs point at is there: files, headings, and commands with their options."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from resilience.cli import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ON_EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[`\s])(chaos|resilience) ([a-z][a-z-]*)([^`\n|]*)")
CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
MAKE = re.compile(r"^([a-z-]+):", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(page: Path) -> Iterator[str]:
    """Every line of shell and every piece of code in the text."""
    for block, inline in CODE.findall(page.read_text()):
        yield from block.splitlines() if block else [inline]


@cache
def options_of(name: str, command: str) -> frozenset[str]:
    """The options of a command as its `--help` lists them; a command that is not there fails the test."""
    program = [str(Path(sys.executable).with_name(name))]
    if name == "chaos":
        program += ["--no-version-check", "--no-log-file"]
    done = subprocess.run([*program, command, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{name} {command}: {done.stderr}"
    return frozenset(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", done.stdout, re.MULTILINE))


@ON_EVERY_PAGE
def test_relative_links_lead_somewhere(page: Path):
    """No dead link in the checkout, to a file or to a heading of it."""
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        place = (page.parent / path) if path else page
        assert place.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(place), f"{link}: there is no such heading"


@ON_EVERY_PAGE
def test_commands_exist(page: Path):
    """Every command that is named can be typed, with the options that are named with it."""
    for line in code(page):
        for name, command, rest in COMMAND.findall(line):
            given = set(re.findall(r"(?<!\S)--[a-z-]+", rest))
            assert given <= options_of(name, command), f"{name} {command} has no such option"


@ON_EVERY_PAGE
def test_make_targets_exist(page: Path):
    """Every `make` target that is named is in the Makefile."""
    targets = set(MAKE.findall((ROOT / "Makefile").read_text()))
    named = {found for line in code(page) for found in re.findall(r"(?:^|\s)make ([a-z-]+)$", line)}
    assert named <= targets


def test_every_command_of_ours_is_documented():
    """A command that nobody can find in the reference is not there for users."""
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    assert [name for name in main.commands if f"`resilience {name}" not in page] == []


def test_there_are_pages():
    """The checks above look at something."""
    assert {"README.md", "docs/whats-here.md", "docs/reference/verdict.md"} <= {
        str(page.relative_to(ROOT)) for page in PAGES
    }
