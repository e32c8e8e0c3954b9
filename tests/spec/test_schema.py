"""The schema is generated, committed as generated, and covers the model. Requirement E2."""

import dataclasses
import json
import re
import subprocess
import sys
from importlib import resources

import pytest
from jsonschema import Draft202012Validator

from resilience import model
from resilience.model.profiles import Tracing
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.model.soak import Flat, Soak
from resilience.spec.findings import Findings
from resilience.spec.keys import GROUPS, KEYS, Extension, default_of
from resilience.spec.schema import schema
from resilience.spec.shapes import UNREAD
from resilience.spec.text import Source

USER_FACING = (
    model.Control,
    model.Search,
    model.Capacity,
    model.Prices,
    model.Regression,
    model.Observing,
    model.Metrics,
    model.Taken,
    model.PrometheusServer,
    model.Query,
    model.KubernetesMetrics,
    model.ProfileOf,
    model.Load,
    model.Workers,
    model.Stage,
    model.Profile,
    model.Think,
    model.Operation,
    model.Expect,
    model.Marker,
    model.Ledger,
    model.Truth,
    model.RedisTruth,
    model.HttpTruth,
    model.FunctionTruth,
    model.Removal,
    model.Skew,
    model.DataField,
    model.Feeder,
    model.Journey,
    model.JourneyStep,
    model.JourneyFunction,
    model.Token,
    model.Account,
    model.CacheCopy,
    model.Shed,
    model.Degradation,
    model.Dependency,
    model.Breaker,
    model.Health,
    model.Recovery,
    model.Safety,
    model.Service,
    model.Program,
    model.Segment,
    model.StreamedAnswer,
    model.Region,
    model.Job,
    model.ServiceLevel,
    model.StackSpec,
    model.Sql,
    model.SqlStatement,
    model.RedisCommand,
    model.Delivered,
    model.Exchange,
    model.Subscription,
    Soak,
    Flat,
    RateLimit,
    Balance,
    Scaling,
    Tracing,
)

FOLLOWS = {model.Operation: {"subscription", "connects"}}
"""Fields that no key fills because they follow from another block: here from `load.subscriptions`."""


def test_the_committed_schema_is_the_generated_one():
    """Editors get what the program checks; `python -m resilience.spec.schema` renews the file."""
    committed = resources.files("resilience.spec").joinpath("experiment.schema.json").read_text()
    done = subprocess.run([sys.executable, "-m", "resilience.spec.schema"], capture_output=True, text=True, check=True)
    assert committed == done.stdout
    assert json.loads(committed) == schema()


def test_the_schema_is_a_schema():
    """It is valid by its own draft."""
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("kind", USER_FACING, ids=lambda kind: kind.__name__)
def test_every_field_of_the_model_can_be_written_in_a_file(kind):
    """A field that no key fills could never be set: the keys' fields are the dataclass's, each once."""
    filled = [*(key.field for key in KEYS[kind]), *FOLLOWS.get(kind, ())]
    assert sorted(filled) == sorted(field.name for field in dataclasses.fields(kind))


def test_every_block_is_reached_from_the_top():
    """Following $ref from our block leads to every dataclass of the model that users write."""
    definitions = schema()["$defs"]
    reached, waiting = set(), {"Extension"}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(definitions[name]))) - reached
    assert {kind.__name__ for kind in USER_FACING} <= reached
    assert set(KEYS) == {Extension, *USER_FACING}


def test_every_default_in_the_schema_is_the_models():
    """What an editor shows as default reads back to the default of the dataclass."""
    findings = Findings(Source(None))
    seen = 0
    for kind, keys in KEYS.items():
        for key in keys:
            group, _, name = key.path.rpartition(".")
            properties = schema()["$defs"][kind.__name__]["properties"]
            shown = (properties[group]["properties"] if group else properties)[name].get("default", UNREAD)
            if shown is not UNREAD:
                assert key.shape.take(shown, key.path, findings) == default_of(kind, key.field)
                seen += 1
    assert seen > 30
    assert not findings.problems


def _properties(node):
    if isinstance(node, dict):
        for name, each in node.get("properties", {}).items():
            if "const" not in each or "title" in each:
                yield name, each
        for key, each in node.items():
            if key not in {"if", "default", "examples"}:
                yield from _properties(each)
    elif isinstance(node, list):
        for each in node:
            yield from _properties(each)


def test_every_key_is_titled_and_described():
    """Editors can explain every key, itself or through the definition that it refers to."""
    definitions = schema()["$defs"]
    for name, node in _properties(schema()):
        target = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else {}
        if name != "arguments":
            assert {**target, **node}.get("title"), name
            assert {**target, **node}.get("description"), name
    assert set(GROUPS) == {"request"}
