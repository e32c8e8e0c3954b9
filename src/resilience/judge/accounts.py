"""The accounts of the write ledger, each judged by what its writes do, and all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from resilience.columns import AccountBook, Truth
from resilience.judge.case import Case
from resilience.judge.deliveries import canary as deliveries_canary
from resilience.judge.deliveries import judge_deliveries, read_receipts
from resilience.judge.effects import EFFECTS
from resilience.judge.effects.plants import canary
from resilience.judge.effects.sent import Sent, sent
from resilience.judge.gates import distrust, gates
from resilience.judge.quantiles import to_ns
from resilience.judge.store import broken
from resilience.judge.store import told as store_told
from resilience.model import Account, Answer, Json

_EVER = np.iinfo(np.int64).max


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
    if account.truth.subscription:
        return _judge_delivered(case, account, place, book)
    truth = None if book.truth is None else whole(book.truth)
    told = sent(book.lines, truth.read_ns if truth else 0, place=place, objects=account.objects)
    counts: dict[str, Json] = dict(_counts(told))
    acknowledged = int(np.count_nonzero(told.entries.acknowledged))
    doubts = distrust((*told.problems, *case.record.incomplete), truth, acknowledged)
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
    counts["broken"] = [one.name for one in failed]
    evidence = [*failed, *why, *found.evidence, *store_told(truth)]
    if failed:
        return _verdict(
            account, Answer.FAIL, f"{'; '.join(failed)} (of {acknowledged:,} acknowledged)", evidence, counts
        )
    if why:
        return _verdict(account, Answer.UNKNOWN, why[0], evidence, counts)
    because = f"all of {acknowledged:,} acknowledged writes are accounted for"
    return _verdict(account, Answer.PASS, because, evidence, counts)


def _judge_delivered(case: Case, account: Account, place: int, book: AccountBook) -> AccountVerdict:
    """Judge an account whose truth is what subscribers were given."""
    wanted = [one for one in case.record.experiment.load.subscriptions if one.name == account.truth.subscription]
    told = sent(book.lines, _EVER, place=place, objects=account.objects)
    acknowledged = int(np.count_nonzero(told.entries.acknowledged))
    counts: dict[str, Json] = dict(_counts(told))
    if book.receipts is None or not wanted:
        return _verdict(account, Answer.UNKNOWN, "there are no receipts of subscribers in the record", (), counts)
    receipts = read_receipts(book.receipts, told, to_ns(account.exposure_s))
    doubts = [f"the write ledger cannot be believed: {one}" for one in (*told.problems, *case.record.incomplete)]
    doubts += [f"the receipts cannot be believed: {one}" for one in receipts.problems]
    if doubts or not receipts.stays:
        because = doubts[0] if doubts else "no subscription was ever confirmed"
        return _verdict(account, Answer.UNKNOWN, because, doubts, counts | {"unverified": acknowledged})
    found, away = judge_deliveries(told, receipts, account, wanted[0])
    counts |= {**found.counts, "broken": [one.name for one in found.broken]}
    why = gates(case, account, told.entries, 0, None)
    missing = wanted[0].connections - len(receipts.stays)
    if missing:
        why.append(f"{missing:,} of {wanted[0].connections:,} subscriptions were never confirmed")
    if away:
        why.append(f"{away:,} subscribers were not connected in the end: what they would have been given is not known")
    if not found.broken and (amiss := deliveries_canary(told, receipts)):
        why.append(f"the checker itself failed its canary: {amiss}")
    evidence = [*found.broken, *why, *found.evidence]
    came, expected = found.counts["verified"], found.counts["expected"]
    if found.broken:
        because = f"{'; '.join(found.broken)} (of {expected:,} owed to {len(receipts.stays):,} subscribers)"
        return _verdict(account, Answer.FAIL, because, evidence, counts)
    if why:
        return _verdict(account, Answer.UNKNOWN, why[0], evidence, counts)
    because = f"{came:,} deliveries of {acknowledged:,} acknowledged messages to {len(receipts.stays):,} subscribers"
    told_too = [
        f"{found.counts[name]:,} {words}"
        for name, words in (
            ("history_lost", "missing, and the service said so"),
            ("missed_away", "missed by subscribers who were away and did not resume"),
            ("lost", "missing, which is allowed"),
            ("duplicated", "came twice, which is allowed"),
            ("out_of_order", "out of order, which is allowed"),
        )
        if found.counts[name]
    ]
    return _verdict(account, Answer.PASS, "; ".join([because, *told_too]), evidence, counts)


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
