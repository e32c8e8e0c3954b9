"""The pages of reference say what the program says: every key, kind of fault, command and key of the verdict."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resilience.faults import registry
from resilience.judge.verdict import judge
from resilience.spec.schema import schema
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import honest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
ROW = re.compile(r"^\| `([^`]+)` \|.* \| ([^|]+) \|$", re.MULTILINE)


def resolve(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A node with what its `$ref` points at filled in; its own words stay."""
    found = dict(node)
    while "$ref" in found:
        named = definitions[found.pop("$ref").rsplit("/", 1)[1]]
        found = {**named, **found}
    return found


def keys_of(node: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key path of a block with its default as the page writes it: `required`, JSON, or a dash."""
    block = resolve(node, definitions)
    for name, value in block.get("properties", {}).items():
        default = f"`{json.dumps(value['default'], ensure_ascii=False)}`" if "default" in value else "–"
        yield f"{prefix}{name}", "required" if name in block.get("required", ()) else default
        inner = resolve(value, definitions)
        if "items" in inner:
            yield from keys_of(inner["items"], definitions, f"{prefix}{name}[].")
        else:
            yield from keys_of(inner, definitions, f"{prefix}{name}.")


def test_every_key_of_the_file_is_on_its_page_and_no_other():
    """A key, and its default, stand in the page exactly as in the schema (Requirement E2)."""
    definitions = schema()["$defs"]
    page = (REFERENCE / "experiment-file.md").read_text()
    documented = [
        match.groups()
        for block in re.split(r"\n\n", page)
        if block.startswith("| key | meaning | value | default |")
        for match in ROW.finditer(block)
    ]
    assert sorted(documented) == sorted(keys_of({"$ref": "#/$defs/Extension"}, definitions))


def test_every_kind_of_fault_is_on_its_page_and_no_other():
    """Each kind has a section with its settings, their defaults, and what it needs of a part."""
    pages = [path.read_text() for path in sorted((REFERENCE / "faults").glob("*.md"))]
    found = [re.findall(r"^## `([\w.-]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL) for page in pages]
    sections = dict(section for page in found for section in page)
    assert set(sections) == set(registry.KINDS)
    for name, kind in registry.KINDS.items():
        settings = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| (?:`([^`]+)`|empty) \|$", sections[name], re.MULTILINE)
        values = {
            setting: ", ".join(f"`{choice}`" for choice in told.choices)
            if told.choices
            else "text"
            if isinstance(told.default, str)
            else "`true`, `false`"
            if isinstance(told.default, bool)
            else f"{told.minimum:,} to {told.maximum:,}"
            for setting, told in kind.settings.items()
        }
        assert {(setting, value) for setting, value, _ in settings} == set(values.items()), name
        assert {setting: default for setting, _, default in settings} == {
            setting: json.dumps(told.default) if isinstance(told.default, bool) else str(told.default)
            for setting, told in kind.settings.items()
        }, name
        words = " ".join(sections[name].split())
        assert [need for need in kind.needs.values() if need not in words] == [], name


def names_in(document: object) -> Iterator[str]:
    """The keys of a document, at every depth; names that the experiment chose are not among them."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield key
            yield from names_in(list(value.values()) if key == "operations" and isinstance(value, Mapping) else value)
    elif isinstance(document, list):
        for value in document:
            yield from names_in(value)


def test_every_key_of_the_verdict_is_on_its_page():
    """Whoever reads `verdict.json` finds each of its keys explained."""
    page = (REFERENCE / "verdict.md").read_text()
    explained = {word for row in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE) for word in re.findall(r"\w+", row)}
    document = json.loads(
        json.dumps(judge(honest(objectives=(parse_objective("rate<0.01 @ baseline"),)).record()).document)
    )
    assert document["recovery"]["cycles"]
    assert document["writes"]
    # Evidence is for people; its rows have keys of their own.
    plain = {**document, "parts": [{**part, "evidence": []} for part in document["parts"]]}
    assert sorted(set(names_in(plain)) - explained) == []
