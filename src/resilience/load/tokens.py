"""Bearer tokens: got once by an operation of the load, or read from the environment; never written down.

Whoever needs a token that is not there yet waits for the one operation that gets it; that operation is offered, sent
and accounted for like any other. If it fails, those who waited fail without being sent, and the next that needs a token
tries again. A token that the target answers with 401 is forgotten; the operation that had it is not repeated.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gevent.event import AsyncResult

from resilience.errors import LoadError
from resilience.load.captures import taken
from resilience.load.classify import Reply
from resilience.load.secrets import fit_for_header
from resilience.model import LoadOrder, Outcome, Problem, Token
from resilience.spec.journeys import TOKEN, names_used, token_variables

if TYPE_CHECKING:
    from resilience.load.operate import Attempt, Ended, Operator, Slot

NO_TOKEN = "no token"  # noqa: S105 - what is said where there is none
REMEMBERED = 100_000
"""So many tokens of one kind are kept; beyond it the one not used for longest is got anew when it is needed."""
_UNAUTHORIZED = 401


class Tokens:
    """The tokens of a load.

    Args:
        order: its load's tokens.
        operator: carries out the operations that get them.

    Raises:
        LoadError: an environment variable is missing, or what it holds cannot be sent.
    """

    def __init__(self, order: LoadOrder, operator: "Operator") -> None:
        load = order.load
        self._operator = operator
        numbers = {operation.name: number for number, operation in enumerate(load.operations)}
        self._got_by = {token.name: numbers[token.operation] for token in load.tokens if token.operation}
        self._needed: list[tuple[Token, ...]] = []
        for operation in load.operations:
            used = names_used(operation) if load.tokens else frozenset()
            self._needed.append(tuple(token for token in load.tokens if f"{TOKEN}{token.name}" in used))
        self._kept: dict[str, OrderedDict[int, str]] = {token.name: OrderedDict() for token in load.tokens}
        self._awaited: dict[tuple[str, int], AsyncResult] = {}
        problems = []
        for token in load.tokens:
            for owner, variable in token_variables(token, load.tenants):
                text = os.environ.get(variable, "")
                if fit_for_header(text):
                    self._kept[token.name][owner] = text
                else:
                    message = f"{variable} is not set" if not text else f"{variable} holds what cannot be sent"
                    problems.append(Problem(f"token {token.name}", message, "set it where the load runs"))
        if problems:
            raise LoadError(problems)

    def needed(self, number: int) -> bool:
        """Whether an operation needs any."""
        return bool(self._needed[number])

    def flow(self, attempt: "Attempt") -> "Authorized":
        """An operation with its tokens, as a flow."""
        return Authorized(self._operator, attempt)

    def operate(self, attempt: "Attempt", slot: "Slot", more: Mapping[str, str] | None = None) -> "Ended | None":
        """Carry out an operation with the tokens that it needs; see `Operator.operate`."""
        if attempt.slot < 0:
            attempt.hold(slot)
        values = dict(more or {})
        for token in self._needed[attempt.number]:
            text = self._of(token, attempt, slot)
            if text is None:
                if not self._operator.begins(self._operator.now_ns()):
                    return None  # the run is over: it is accounted for with whatever else is open
                return self._operator.refuse(attempt, f"{NO_TOKEN}: {token.name}")
            values[f"{TOKEN}{token.name}"] = text
        ended = self._operator.operate(attempt, slot, values)
        if ended is not None and isinstance(ended.happened, Reply) and ended.happened.status == _UNAUTHORIZED:
            self._forget(attempt, values)
        return ended

    def _of(self, token: Token, attempt: "Attempt", slot: "Slot") -> str | None:
        owner = _owner(token, attempt)
        kept = self._kept[token.name]
        if owner in kept:
            kept.move_to_end(owner)
            return kept[owner]
        if not token.operation:
            return None
        if (awaited := self._awaited.get((token.name, owner))) is not None:
            found: str | None = awaited.get()
            return found
        result = self._awaited[token.name, owner] = AsyncResult()
        text = None
        try:
            text = self._get(token, attempt, slot)
            if text is not None:
                kept[owner] = text
                if len(kept) > REMEMBERED:
                    kept.popitem(last=False)
        finally:
            del self._awaited[token.name, owner]
            result.set(text)
        return text

    def _get(self, token: Token, whose: "Attempt", slot: "Slot") -> str | None:
        operator = self._operator
        now_ns = operator.now_ns()
        if not operator.begins(now_ns):
            return None
        number = self._got_by[token.name]
        attempt = operator.attempt(number, now_ns, whose.key, whose.tenant, whose.region, whose.index)
        ended = operator.operate(attempt, slot)
        if ended is None or ended.finding.outcome is not Outcome.OK:
            return None
        text = taken(ended.happened, token.take)
        return text if text is not None and fit_for_header(text) else None

    def _forget(self, attempt: "Attempt", values: Mapping[str, str]) -> None:
        for token in self._needed[attempt.number]:
            kept, owner = self._kept[token.name], _owner(token, attempt)
            if token.operation and kept.get(owner) == values[f"{TOKEN}{token.name}"]:
                del kept[owner]


class Authorized:
    """A single operation that needs tokens: a flow."""

    def __init__(self, operator: "Operator", attempt: "Attempt") -> None:
        self._operator = operator
        self._attempt = attempt

    def hold(self, slot: "Slot") -> None:
        """It has this slot."""
        self._attempt.hold(slot)

    def run(self, slot: "Slot") -> None:
        """Get its tokens, if they are not there, and carry it out."""
        self._operator.tokens.operate(self._attempt, slot)

    def drop(self) -> None:
        """There is no slot for it."""
        self._operator.drop(self._attempt)


def _owner(token: Token, attempt: "Attempt") -> int:
    return {"tenant": attempt.tenant, "key": attempt.key}.get(token.per, -1)
