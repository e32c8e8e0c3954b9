"""Whether the accounts of the write ledger, and the operations that write to them, fit together."""

from collections.abc import Iterator, Mapping, Sequence

from resilience.model import Account, Effect, Ledger, Operation, Role
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.text import join
from resilience.spec.truths import check_ledger

OBJECT, NUMBER, OTHER, AMOUNT, VERSION = "object", "number", "other", "amount", "version"

MORE: Mapping[Effect, tuple[str, ...]] = {
    Effect.INSERT: (),
    Effect.QUEUE: (),
    Effect.STREAM: (),
    Effect.APPEND: (OBJECT, NUMBER),
    Effect.DOCUMENT: (OBJECT, NUMBER, VERSION),
    Effect.COUNTER: (OBJECT, NUMBER, AMOUNT),
    Effect.TRANSFER: (OBJECT, NUMBER, OTHER, AMOUNT),
}
"""What a write to an account may hold besides what every write may."""

_WHY = {
    "write_id": "without it nothing that is stored can be told from anything else",
    "write_body": "without it nobody could tell whether what is stored is intact",
    OBJECT: "it is the object that is written to",
    OTHER: "it is the object that is given to",
    AMOUNT: "it is how much",
}
_DELIVERED = (Effect.INSERT, Effect.QUEUE, Effect.STREAM)
_FEWEST_TO_TRANSFER = 2


def account_of(operation: Operation, accounts: Sequence[Account]) -> Account | None:
    """The account that an operation names; None if it names none, or one that is not there."""
    return next((account for account in accounts if account.name == operation.account), None)


def may_hold(role: Role, account: Account | None, plain: tuple[str, ...]) -> tuple[str, ...]:
    """What an operation may hold; `plain` is what one of its role may that has no account."""
    if account is None or role is Role.READ:
        return plain
    if role is Role.READ_BACK:
        # A document holds the last write to it: which one that is, is not known until the answer is there.
        return ("key", OBJECT, NUMBER) if account.effect is Effect.DOCUMENT else plain
    return (*plain, *MORE[account.effect])


def needed(operation: Operation, account: Account) -> Mapping[str, str]:
    """What the request of a write to an account, or of a read-back from it, must hold, and why."""
    names: tuple[str, ...]
    if operation.role is Role.READ_BACK:
        documents = account.effect is Effect.DOCUMENT
        return (
            {OBJECT: "it is the object that is read"} if documents else {"acked_id": "it reads what was acknowledged"}
        )
    match account.effect:
        case Effect.COUNTER:
            names = (OBJECT, AMOUNT)
        case Effect.TRANSFER:
            names = (OBJECT, OTHER, AMOUNT)
        case Effect.DOCUMENT:
            names = ("write_id", OBJECT) if operation.deletes else ("write_id", "write_body", OBJECT)
        case Effect.APPEND:
            names = ("write_id", "write_body", OBJECT) if account.objects > 1 else ("write_id", "write_body")
        case _:
            names = ("write_id", "write_body")
    return {name: _WHY[name] for name in names}


def met(name: str, sent: set[str]) -> bool:
    """Whether a request holds a name, or one that means the same."""
    return name in sent or (name == OBJECT and NUMBER in sent)


def check_accounts(
    accounts: Sequence[tuple[str, Account]],
    operations: Sequence[tuple[str, Operation]],
    allow: Sequence[str],
    findings: Findings,
) -> None:
    """Note what cannot work.

    Args:
        accounts: those that could be read, with their paths.
        operations: likewise.
        allow: patterns of modules that the file may name, besides ours.
        findings: where problems go.
    """
    names: list[str] = []
    for path, account in accounts:
        if account.name in names:
            findings.add(join(path, "name"), f"there is an account {account.name!r} already", "choose another name")
        names.append(account.name)
        for key, message, hint in _own_problems(account):
            findings.add(join(path, key), message, hint)
        check_ledger(Ledger(truth=account.truth, ordered=_in_order(account)), path, allow, findings)
        if not any(one.account == account.name and one.role is Role.WRITE for _, one in operations):
            message = f"no operation with role: write has account: {account.name}"
            findings.add(path, message, "add one, or remove the account")
    for path, operation in operations:
        _check_operation(path, operation, [account for _, account in accounts], findings)


def _in_order(account: Account) -> bool:
    return account.ordered and account.effect in {*_DELIVERED, Effect.APPEND}


def _own_problems(account: Account) -> Iterator[tuple[str, str, str]]:
    if account.effect is Effect.TRANSFER and account.objects < _FEWEST_TO_TRANSFER:
        yield "objects", f"{account.objects} is too few to transfer between", "write 2 or more"
    if account.rows > 1 and account.effect is not Effect.INSERT:
        message = f"{account.rows} rows for a write mean nothing for {account.effect}; they are for insert"
        yield "rows", message, "remove it"
    if account.duplicates == "at-most-once" and account.effect not in _DELIVERED:
        known = ", ".join(_DELIVERED)
        yield "duplicates", f"at-most-once means nothing for {account.effect}; it is for {known}", "remove it"


def _check_operation(path: str, operation: Operation, accounts: Sequence[Account], findings: Findings) -> None:
    account = account_of(operation, accounts)
    known = [one.name for one in accounts]
    if operation.account and operation.role is Role.READ:
        findings.add(join(path, "account"), "a read has no account", "remove it, or write role: write or read-back")
    elif operation.account and account is None:
        message = f"{show(operation.account)} is no account of this file"
        hint = did_you_mean(operation.account, known) if known else "add accounts: [{name: …, effect: …, truth: …}]"
        findings.add(join(path, "account"), message, hint)
    if operation.deletes and (account is None or account.effect is not Effect.DOCUMENT or operation.role is Role.READ):
        message = "only a write to an account of documents can delete"
        findings.add(join(path, "deletes"), message, "remove it, or name such an account")
    if account is None or operation.role is not Role.READ_BACK:
        return
    if account.effect is Effect.DOCUMENT:
        _check_document_read(path, operation, account, findings)
    elif account.effect not in {*_DELIVERED, Effect.APPEND}:
        message = f"what a write left behind in an account of {account.effect} cannot be read back by its id"
        findings.add(join(path, "account"), message, "write role: read")


def _check_document_read(path: str, operation: Operation, account: Account, findings: Findings) -> None:
    """What a document holds can be told to be old by HTTP, and where versions decide which write is the last."""
    if operation.sql is not None or operation.redis is not None or operation.websocket is not None:
        findings.add(join(path, "role"), "a document is read back by HTTP alone", "write request: {…}, or role: read")
    if not account.ordered:
        message = f"without versions nobody knows which write to an object of {account.name} is the last"
        findings.add(join(path, "account"), message, "write ordered: true in the account, or role: read")
