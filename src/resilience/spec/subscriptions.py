"""Whether what is sent by WebSocket, and what is subscribed to, fits together with the rest of the file."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from resilience.model import Account, Effect, Json, Load, Operation, Role, Subscription
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.method import texts_in
from resilience.spec.text import join

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?")
SETTLE_LIMIT_S = 20.0
"""The load process has half a minute beyond the longest time limit to end in (see `runtime.session`)."""
_RESUME = ("offset", "epoch")


def with_operations(load: Load | None) -> Load | None:
    """The load with the operations whose samples are those of its subscriptions, behind those of the mix."""
    if load is None or not load.subscriptions:
        return load
    more = tuple(operation for one in load.subscriptions for operation in one.operations)
    return replace(load, operations=(*load.operations, *more))


def names_of(load: Load | None) -> tuple[str, ...]:
    """The names of those operations."""
    return tuple(operation.name for one in (load.subscriptions if load else ()) for operation in one.operations)


def exchanged(operation: Operation) -> dict[str, Json]:
    """What an operation sends by WebSocket: whatever may hold names."""
    exchange = operation.websocket
    if exchange is None:
        return {}
    return {"path": exchange.path, "headers": exchange.headers, "send": exchange.send}


def check_exchange(path: str, operation: Operation, findings: Findings) -> None:
    """Note what an exchange cannot be."""
    exchange = operation.websocket
    if exchange is None:
        return
    where = join(path, "websocket")
    others = [
        name
        for name, there in (("request", operation.path), ("sql", operation.sql), ("redis", operation.redis))
        if there
    ]
    if others:
        findings.add(
            path, f"has websocket and {' and '.join(others)}; an operation is sent in one way", "keep one of them"
        )
    if exchange.send is None and operation.role is not Role.READ:
        message = f"a {operation.role} sends something, and this only opens a connection"
        findings.add(where, message, "add send: {…}")
    if exchange.send is None and operation.expect.json:
        findings.add(
            join(path, "expect"), "nothing is answered where nothing is sent", "add websocket.send, or remove it"
        )


def check_subscriptions(
    load: Load | None,
    accounts: Sequence[tuple[str, Account]],
    operations: Sequence[tuple[str, Operation]],
    path: str,
    findings: Findings,
) -> None:
    """Note what cannot work.

    Args:
        load: as far as it could be read; None if it could not.
        accounts: of the ledger, those that are right, with their paths.
        operations: those of the mix that are right, with their paths.
        path: of the load.
        findings: where problems go.
    """
    subscriptions = load.subscriptions if load else ()
    known = {one.name: one for _, one in accounts}
    taken = [operation.name for _, operation in operations]
    for index, one in enumerate(subscriptions):
        where = f"{join(path, 'subscriptions')}[{index}]"
        for name in (operation.name for operation in one.operations):
            if name in taken or name == "all":
                findings.add(join(where, "name"), f"there is an operation {name!r} already", "choose another name")
            taken.append(name)
        _check_account(one, known, where, findings)
        _check_texts(one, where, findings)
    names = [one.name for one in subscriptions]
    for where, account in accounts:
        wanted = account.truth.subscription
        if wanted and wanted not in names and load is not None:
            place = join(join(where, "truth"), "subscription")
            findings.add(place, f"{show(wanted)} is no subscription of the load", did_you_mean(wanted, names))


def _check_account(one: Subscription, known: dict[str, Account], where: str, findings: Findings) -> None:
    account = known.get(one.account)
    place = join(where, "account")
    if account is None:
        hint = did_you_mean(one.account, list(known)) if known else "add accounts: [{name: …, effect: stream, …}]"
        findings.add(place, f"{show(one.account)} is no account of this file", hint)
    elif account.effect is not Effect.STREAM:
        findings.add(place, f"{one.account} is an account of {account.effect}, expected a stream", "name another one")
    elif account.truth.subscription != one.name:
        message = f"the truth of {one.account} is read somewhere else than from these subscribers"
        findings.add(place, message, f"write truth: {{subscription: {one.name}}} there")


def _check_texts(one: Subscription, where: str, findings: Findings) -> None:
    plain: dict[str, Json] = {"path": one.path, "headers": one.headers, "subscribe": one.subscribe}
    for key, value in plain.items():
        for place, name in _names(value, join(where, key)):
            findings.add(
                place, f"${{{name}}} has no value here", "write it as it is; resume may hold ${offset}, ${epoch}"
            )
    for place, name in _names(one.resume, join(where, "resume")):
        if name not in _RESUME:
            findings.add(place, f"${{{name}}} has no value here", "known are ${offset} and ${epoch}")
    if one.resume is not None and not one.confirmed:
        message = "is missing: only what confirms can say whether anything is missing"
        findings.add(join(where, "confirmed"), message, "add confirmed: {type: subscribed}, or as the service has it")
    if one.settle_s > SETTLE_LIMIT_S:
        message = f"{one.settle_s:g} s are too long, expected at most {SETTLE_LIMIT_S:g}"
        findings.add(join(where, "settle"), message, "the generator is waited for no longer in the end")
    if one.retry_limit_s < one.retry_s:
        findings.add(join(where, "retry_limit"), "is less than retry", "raise it, or lower retry")


def _names(value: Json, path: str) -> Iterator[tuple[str, str]]:
    for where, text in texts_in(value, path):
        for found in _PLACEHOLDER.finditer(text):
            yield where, found[1]
