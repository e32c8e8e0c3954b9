"""Skew, generated data and feeder in the file: read as written; what is wrong is refused. Requirement L4."""

import pytest

from resilience.model import DataField, Feeder, Skew
from resilience.spec.parse import parse
from tests.spec.changing import changed, problems

EMAIL = {"name": "email", "kind": "email"}
FEEDER = {"file": "users.csv", "columns": ["user", "password"]}


def test_data_is_read_as_written_and_can_be_used():
    """Fields, feeder and skew; path, header and JSON may hold them, and the run's id."""
    content = changed(
        {
            "OWN.load.data": [
                EMAIL,
                {"name": "age", "kind": "number", "from": 18, "to": 90, "by": "arrival"},
                {"name": "plan", "kind": "choice", "of": {"free": 9, "paid": 1}},
                {"name": "since", "kind": "timestamp", "after": "2024-01-01"},
            ],
            "OWN.load.feeder": {**FEEDER, "by": "arrival"},
            "OWN.load.zipf": 0,
            "OWN.load.skew": {"kind": "hot", "hot_keys": 0.01, "hot_share": 0.95},
            "OWN.load.operations[0].request": {
                "method": "POST",
                "path": "/items/${key}?for=${data.email}",
                "headers": {"X-Run": "${run}", "X-User": "${data.user}"},
                "json": {"age": "${data.age}", "plan": ["${data.plan} of ${data.since}"]},
            },
        }
    )
    load = parse(content, "x.json", "/somewhere").load
    assert load.data == (
        DataField(name="email", kind="email"),
        DataField(name="age", kind="number", least=18, most=90, by="arrival"),
        DataField(name="plan", kind="choice", of={"free": 9.0, "paid": 1.0}),
        DataField(name="since", kind="timestamp", earliest="2024-01-01"),
    )
    assert load.feeder == Feeder(file="users.csv", columns=("user", "password"), by="arrival")
    assert load.skew == Skew(kind="hot", hot_keys=0.01, hot_share=0.95)


def test_each_request_says_its_priority_where_that_is_asked_for():
    """Requirement L4: in the header that the file names; an operation that has it already keeps its own."""
    content = changed(
        {
            "OWN.load.priority_header": "X-Priority",
            "OWN.load.operations[0].priority": 3,
            "OWN.load.operations[1].request.headers": {"x-priority": "urgent"},
        }
    )
    operations = parse(content, "x.json", "/somewhere").load.operations
    assert operations[0].headers["X-Priority"] == "3"
    assert dict(operations[1].headers) == {"x-priority": "urgent"}
    assert operations[2].headers["X-Priority"] == "0"
    assert problems(changed({"OWN.load.priority_header": "X Priority"}))


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        ({"OWN.load.data": [EMAIL, EMAIL]}, "load.data[1].name", "already"),
        ({"OWN.load.data": [{"name": "x", "kind": "choice"}]}, "load.data[0].of", "is missing"),
        ({"OWN.load.data": [{"name": "x", "kind": "name", "from": 3}]}, "load.data[0].from", "means nothing"),
        ({"OWN.load.data": [{"name": "x", "kind": "text", "places": 3}]}, "load.data[0].places", "means nothing"),
        ({"OWN.load.data": [{"name": "x", "kind": "number", "from": 3, "to": 2}]}, "load.data[0].from", "exchange"),
        ({"OWN.load.data": [{"name": "x", "kind": "number", "from": 0.5}]}, "load.data[0].from", "whole numbers"),
        ({"OWN.load.data": [{"name": "x", "kind": "text", "from": -1}]}, "load.data[0].to", "characters"),
        ({"OWN.load.data": [{"name": "x", "kind": "text", "to": 1e9}]}, "load.data[0].to", "characters"),
        ({"OWN.load.data": [{"name": "x", "kind": "timestamp", "after": "soon"}]}, "load.data[0].after", "no instant"),
        (
            {"OWN.load.data": [{"name": "x", "kind": "timestamp", "after": "2024-02-01", "before": "2024-01-01"}]},
            "load.data[0].after",
            "exchange",
        ),
        ({"OWN.load.data": [{"name": "x", "kind": "verse"}]}, "load.data[0].kind", "verse"),
        ({"OWN.load.feeder": {**FEEDER, "file": "users.xlsx"}}, "load.feeder.file", "ends like no file"),
        ({"OWN.load.feeder": {**FEEDER, "columns": ["a", "a"]}}, "load.feeder.columns", "twice"),
        (
            {"OWN.load.feeder": {**FEEDER, "columns": ["email"]}, "OWN.load.data": [EMAIL]},
            "load.feeder.columns",
            "a field of data as well",
        ),
        ({"OWN.load.skew": {"kind": "hot"}, "OWN.load.zipf": 1.1}, "load.skew", "leave one of them out"),
        ({"OWN.load.skew": {"kind": "hot", "every": 5}}, "load.skew.every", "means nothing"),
        ({"OWN.load.skew": {"kind": "latest", "hot_keys": 0.5}}, "load.skew.hot_keys", "means nothing"),
        (
            {"OWN.load.operations[0].request.path": "/items/${data.email}"},
            "load.operations[0].request.path",
            "${data.email} is not known",
        ),
    ],
)
def test_what_means_nothing_is_refused(changes, path, told):
    """With the place and what to do."""
    found = problems(changed(changes))
    assert [one for one in found if one.where.endswith(path) and told in f"{one.message} {one.hint}"]
