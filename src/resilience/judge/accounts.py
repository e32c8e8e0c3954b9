"""The accounts of the write ledger, each judged by what its writes do, and all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from resilience.columns import AccountBook, Truth
from resilience.judge.case import Case
from resilience.judge.effects import EFFECTS
from resilience.judge.effects.plants import canary
from resilience.judge.effects.sent import Sent, sent
from resilience.judge.gates import distrust, gates
from resilience.judge.store import broken
from resilience.judge.store import told as store_told
from resilience.model import Account, Answer, Json


@dataclass(frozen=True, slots=True)
class AccountVerdict:
    """What an account comes to; `data` is its entry in `accounts` of the verdict."""

    name: str
    answer: Answer
    because: str
    evidence: tuple[Json, ...]
    data: Mapping[str, Json]


def judge_accounts(case: Case) -> tuple[AccountVerdict, ...]:
    """Judge every account that the experiment declares, in its order."""
    books = {book.name: book for book in case.record.accounts}
    return tuple(
        _judge(case, account, place, books.get(account.name))
        for place, account in enumerate(case.record.experiment.accounts)
    )


def _judge(case: Case, account: Account, place: int, book: AccountBook | None) -> AccountVerdict:
    if book is None:
        return _verdict(account, Answer.UNKNOWN, "there is no ledger of it in the record", (), {})
    truth = None if book.truth is None else whole(book.truth)
    told = sent(book.lines, truth.read_ns if truth else 0, place=place, objects=account.objects)
    counts: dict[str, Json] = dict(_counts(told))
    acknowledged = int(np.count_nonzero(told.entries.acknowledged))
    doubts = distrust(told.problems, truth, acknowledged)
    if truth is None or doubts:
        return _verdict(account, Answer.UNKNOWN, doubts[0], doubts, counts | {"unverified": acknowledged})
    judge = EFFECTS[account.effect]
    found = judge(told, truth, account)
    counts |= {"unverified": told.late} | found.counts
    why = gates(case, account, told.entries, told.late, truth)
    if not found.broken:
        amiss = canary(judge, told, truth, account, found)
        if amiss:
            why.append(f"the checker itself failed its canary: {amiss}")
    failed = [*found.broken, *broken(truth)]
    evidence = [*failed, *why, *found.evidence, *store_told(truth)]
    if failed:
        return _verdict(
            account, Answer.FAIL, f"{'; '.join(failed)} (of {acknowledged:,} acknowledged)", evidence, counts
        )
    if why:
        return _verdict(account, Answer.UNKNOWN, why[0], evidence, counts)
    because = f"all of {acknowledged:,} acknowledged writes are accounted for"
    return _verdict(account, Answer.PASS, because, evidence, counts)


def _verdict(
    account: Account, answer: Answer, because: str, evidence: Sequence[Json], counts: Mapping[str, Json]
) -> AccountVerdict:
    because = f"account {account.name} ({account.effect}): {because}"
    head: dict[str, Json] = {"name": account.name, "effect": account.effect.value, "answer": answer.value}
    return AccountVerdict(
        account.name,
        answer,
        because,
        tuple(evidence),
        {**head, "because": because, **counts, "evidence": tuple(evidence)},
    )


def _counts(told: Sent) -> dict[str, int]:
    """What the ledger alone says."""
    entries = told.entries
    columns = ("attempted", "acknowledged", "rejected", "indeterminate", "open")
    return {name: int(np.count_nonzero(getattr(entries, name))) for name in columns}


def whole(truth: Truth) -> Truth:
    """A truth whose columns are in memory."""
    columns: dict[str, Any] = {field.name: getattr(truth, field.name) for field in fields(Truth)}
    return Truth(**columns)


def check_early(case: Case) -> tuple[Answer, str]:
    """Before the method: something was written to every account, and its ledger can be believed."""
    books = {book.name: book for book in case.record.accounts}
    for place, account in enumerate(case.record.experiment.accounts):
        book = books.get(account.name)
        if book is None:
            return Answer.UNKNOWN, f"account {account.name}: there is no ledger of it in the record"
        told = sent(book.lines, 0, place=place, objects=account.objects)
        if told.problems:
            return Answer.UNKNOWN, f"account {account.name}: its ledger cannot be believed: {told.problems[0]}"
        if not told.entries.acknowledged.any():
            return Answer.UNKNOWN, f"account {account.name}: no write was acknowledged yet"
    return Answer.PASS, f"writes to {len(case.record.experiment.accounts)} accounts are acknowledged"
