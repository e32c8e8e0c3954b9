"""The page of the reference target says what it is: every route, every setting and every planted bug, and no other."""

import re
from pathlib import Path

import pytest

import fixtures.target
from fixtures.target import bugs, settings, variants
from fixtures.target.description import Description
from fixtures.target.parts import Parts, made_of

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "target.md").read_text()


def rows(heading):
    """The rows of the table under a heading."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    section, _, _ = rest.partition("\n## ")
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_every_route_is_on_the_page_and_no_other():
    """As OpenAPI has it, which a test holds to the service."""
    paths = Description().document["paths"]
    described = [
        f"| `{method.upper()} {path}` | `{item[method]['operationId']}` | {item[method]['summary']} |"
        for path, item in paths.items()
        for method in ("get", "put", "post", "delete")
        if method in item
    ]
    assert rows("Routes") == described


def test_every_planted_bug_is_on_the_page_and_no_other():
    """What it breaks, in the words of `bugs.KNOWN`, and the parts of the service that it replaces."""

    def replaced(name):
        return ", ".join(f"`{part}`" for part, kind in made_of({name}).names().items() if kind is not honest[part])

    honest = Parts().names()
    assert rows("Planted bugs") == [f"| `{name}` | {what} | {replaced(name)} |" for name, what in bugs.KNOWN.items()]


def test_every_slow_variant_is_on_the_page_and_no_other():
    """What is slow, in the words of `variants.KNOWN`, and the part of the service that it replaces."""

    def replaced(name):
        return ", ".join(f"`{part}`" for part, kind in made_of((), {name}).names().items() if kind is not honest[part])

    honest = Parts().names()
    known = variants.KNOWN.items()
    assert rows("Slow variants") == [f"| `{name}` | {what} | {replaced(name)} |" for name, what in known]


@pytest.mark.parametrize("name", sorted(set(re.findall(r'"([A-Z][A-Z_]{3,})"', Path(settings.__file__).read_text()))))
def test_every_setting_is_on_the_page(name):
    """Under the name that its environment variable has."""
    assert any(f"`{name}`" in row for row in rows("Settings"))


def test_every_module_is_in_the_order_of_reading():
    """A newcomer is told where to begin, and is not left with a module that nobody mentioned."""
    folder = Path(fixtures.target.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    assert modules | {"planted", "slow"} == set(re.findall(r"`(\w+)`", fixtures.target.__doc__ or ""))
