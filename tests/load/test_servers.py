"""Servers that operations ask directly: each is looked up once, and everything that is not known is said at once."""

from dataclasses import dataclass

import pytest

from resilience.errors import LoadError
from resilience.load.servers import given, server_name, servers
from resilience.model import Load, LoadOrder, Operation, Problem


@dataclass(frozen=True)
class Asks:
    """What an operation says of its server."""

    on: str = ""
    dsn_env: str = ""


def order(*names):
    operations = tuple(Operation(name=name, weight=1.0, method="GET", path="/", timeout_s=1.0) for name in names)
    load = Load(rate=1.0, operations=operations)
    return LoadOrder(run="0badcafe", seed=1, zero_ns=0, base_url="", folder="", load=load, max_s=1.0)


def test_a_part_and_a_variable_of_the_same_name_are_two_servers():
    """A variable's name is marked."""
    assert server_name(Asks(on="STORE")) == "STORE"
    assert server_name(Asks(dsn_env="STORE")) == "$STORE"


def test_each_server_is_found_once_and_operations_that_ask_none_are_left_out():
    """Two operations on one server need one address."""
    asks = {"read": Asks("postgres"), "write": Asks("postgres"), "other": Asks(dsn_env="DSN"), "page": None}
    found = servers(order(*asks), lambda operation: asks[operation.name], lambda operation, _: operation.name)
    assert found == {"postgres": "write", "$DSN": "other"}


def test_all_that_is_not_known_is_said_at_once():
    """Not only the first."""

    def where(operation, _):
        raise LoadError(Problem(operation.name, "nobody knows"))

    with pytest.raises(LoadError) as caught:
        servers(order("a", "b"), lambda operation: Asks(operation.name), where)
    assert [problem.where for problem in caught.value.problems] == ["a", "b"]


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_or_empty_is_refused(monkeypatch, value):
    """With its name, and a hint."""
    monkeypatch.delenv("SERVERS_TEST", raising=False)
    if value is not None:
        monkeypatch.setenv("SERVERS_TEST", value)
    with pytest.raises(LoadError, match="SERVERS_TEST is not set"):
        given("operation read", "SERVERS_TEST", "set it")
    monkeypatch.setenv("SERVERS_TEST", "there")
    assert given("operation read", "SERVERS_TEST", "set it") == "there"
