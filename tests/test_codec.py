"""Model values as JSON and back."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resilience import model
from resilience.codec import decode, encode
from resilience.errors import RecordError

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=3,
)
SCALARS = {str: TEXTS, float: FLOATS, int: st.integers(), bool: st.booleans(), NoneType: st.none()}
KINDS = [kind for kind in vars(model).values() if is_dataclass(kind)]


def any_of(kind):
    """Any value of a type of the model, every field drawn, also those with a default."""
    arguments = get_args(kind)
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(kind, str) or {NoneType, bool, str} <= set(arguments):
        return JSON
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: any_of(hints[field.name]) for field in fields(kind)})
    if get_origin(kind) is tuple:
        return st.lists(any_of(arguments[0]), max_size=2).map(tuple)
    if get_origin(kind) is Mapping:
        return st.dictionaries(any_of(arguments[0]), any_of(arguments[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    return st.one_of([any_of(argument) for argument in arguments])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_value_survives_the_way_through_json(kind, data):
    """Whatever is written as a JSON text is read back as an equal value of the same types."""
    value = data.draw(any_of(kind))
    text = json.dumps(encode(value), allow_nan=False)
    back = decode(kind, json.loads(text))
    assert back == value
    assert same_types(back, value)


def same_types(one, other):
    """StrEnum members equal plain texts, so equality alone would not notice that one had become a text."""
    if hasattr(one, "__dataclass_fields__"):
        pairs = [(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__]
    elif isinstance(one, dict):
        pairs = [*zip(sorted(one), sorted(other), strict=True), *((one[key], other[key]) for key in one)]
    elif isinstance(one, list | tuple):
        pairs = list(zip(one, other, strict=True))
    else:
        return type(one) is type(other)
    return all(same_types(left, right) for left, right in pairs)


MINIMAL = {
    "name": "x",
    "weight": 1,
    "method": "GET",
    "path": "/",
}


def test_defaults_may_be_left_out():
    """A document written by an older version, without a field that has a default since, still reads."""
    assert decode(model.Operation, MINIMAL) == model.Operation(name="x", weight=1.0, method="GET", path="/")


@pytest.mark.parametrize(
    ("kind", "document", "message"),
    [
        (model.Operation, {**MINIMAL, "weight": "5"}, "Operation.weight: '5' was found, a number was expected"),
        (model.Operation, {**MINIMAL, "weight": True}, "Operation.weight: True was found, a number was expected"),
        (model.Operation, {**MINIMAL, "weight": None}, "Operation.weight: None was found, a number was expected"),
        (model.Operation, {**MINIMAL, "critical": 1}, "Operation.critical: 1 was found, true or false was expected"),
        (model.Operation, {**MINIMAL, "name": 3}, "Operation.name: 3 was found, a text was expected"),
        (model.Operation, {**MINIMAL, "bogus": 3}, "Operation: unknown: bogus; known keys were expected"),
        (model.Operation, {"name": "x"}, "Operation.weight: 'weight' is missing"),
        (model.Operation, {**MINIMAL, "headers": []}, "Operation.headers: [] was found, an object was expected"),
        (model.Operation, {**MINIMAL, "headers": {"a": 1}}, "1 was found, a text was expected"),
        (model.Operation, {**MINIMAL, "rejected_status": 4}, "rejected_status: 4 was found, a list was expected"),
        (model.Operation, {**MINIMAL, "rejected_status": "ab"}, "'ab' was found, a list was expected"),
        (model.Operation, {**MINIMAL, "rejected_status": [400, 1.5]}, "Operation.rejected_status[1]: 1.5 was found"),
        (model.Operation, {**MINIMAL, "expect": []}, "Operation.expect: [] was found, an object was expected"),
        (model.Operation, {**MINIMAL, "role": "writer"}, "'writer' was found, one of 'read', 'write', 'read-back'"),
        (model.Operation, None, "Operation: None was found, an object was expected"),
        (model.Operation, [], "Operation: [] was found, an object was expected"),
        (model.Event, {"at_s": 0, "kind": "phase", "detail": 3}, "Event.detail: 3 was found, an object was expected"),
        (model.StackSpec, {"service": 3}, "StackSpec.service: 3 was found, an object was expected"),
        (model.Step, 3, "an object was expected"),
        (model.Step, {"phase": "noon", "duration_s": 1}, "'noon' was found, one of 'warm-up'"),
    ],
)
def test_wrong_document_shows_what_was_found_and_expected(kind, document, message):
    """A wrong document is an error that names the place, shows the value and says what was expected."""
    with pytest.raises(RecordError) as caught:
        decode(kind, document)
    assert message in str(caught.value)


def test_all_problems_are_listed():
    """One error has every problem, however deep, not the first."""
    document = {
        "run": 1,
        "seed": "s",
        "zero_ns": 0,
        "base_url": "",
        "folder": "",
        "max_s": 1,
        "load": {"rate": None, "operations": [MINIMAL, {**MINIMAL, "weight": "x", "path": 0}], "more": 1},
    }
    with pytest.raises(RecordError) as caught:
        decode(model.LoadOrder, document)
    assert {problem.where for problem in caught.value.problems} == {
        "LoadOrder.run",
        "LoadOrder.seed",
        "LoadOrder.load",
        "LoadOrder.load.rate",
        "LoadOrder.load.operations[1].weight",
        "LoadOrder.load.operations[1].path",
    }


def test_long_values_are_shown_shortened():
    """A message stays one line of a terminal even if the wrong value is a whole document."""
    with pytest.raises(RecordError) as caught:
        decode(model.Operation, {**MINIMAL, "weight": "x" * 10_000})
    assert len(str(caught.value)) < 200


@settings(deadline=None)
@given(document=JSON | st.dictionaries(st.sampled_from(["phase", "duration_s", "more"]), JSON))
def test_any_document_is_read_or_refused(document):
    """Whatever a document is, the answer is a value or a RecordError with problems, nothing else."""
    try:
        value = decode(model.Observe, document)
    except RecordError as error:
        value = error.problems
    assert value
