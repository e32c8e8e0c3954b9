"""Servers that operations ask directly: by which name each is known in a load process, and how it is reached."""

import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from resilience.errors import LoadError
from resilience.model import LoadOrder, Operation, Problem

Address = TypeVar("Address")


class Asking(Protocol):
    """What an operation says of the server that it asks: a part of the stack, or an environment variable."""

    @property
    def on(self) -> str:
        """The part's name, or empty."""

    @property
    def dsn_env(self) -> str:
        """The variable's name, or empty."""


def server_name(asking: Asking) -> str:
    """By which a server is known in one load process."""
    return f"${asking.dsn_env}" if asking.dsn_env else asking.on


def servers(
    order: LoadOrder, asking: Callable[[Operation], Asking | None], where: Callable[[Operation, LoadOrder], Address]
) -> dict[str, Address]:
    """Where the servers are that an order's operations ask, by name.

    Args:
        order: what is sent.
        asking: what an operation says of its server; None if it asks no server of this sort.
        where: the server of such an operation is; raises LoadError if that is not known.

    Raises:
        LoadError: it is not known where one of them is; every reason.
    """
    asked = {server_name(one): operation for operation in order.load.operations if (one := asking(operation))}
    found, problems = {}, list[Problem]()
    for name, operation in asked.items():
        try:
            found[name] = where(operation, order)
        except LoadError as error:
            problems.extend(error.problems)
    if problems:
        raise LoadError(problems)
    return found


def given(where: str, variable: str, hint: str) -> str:
    """What an environment variable holds.

    Raises:
        LoadError: it is not set, or empty.
    """
    value = os.environ.get(variable)
    if not value:
        raise LoadError(Problem(where, f"the environment variable {variable} is not set", hint))
    return value
