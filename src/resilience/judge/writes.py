"""Zero data loss: every acknowledged write is in the store exactly once, intact and in order, and nothing else is.

The truth is read from the primary store itself. What the counts may be used for is decided here: a broken ledger, an
empty or unfit truth, too few writes exposed to the faults, or a canary that was not found make the answer unknown; a
store that was set not to keep its promises makes a clean result unknown, because a killed process does not show it.
"""

import numpy as np

from resilience.columns import Int64, LedgerLines, Mark
from resilience.entry import format_id
from resilience.judge.accounts import check_early, judge_accounts
from resilience.judge.canary import run_canary
from resilience.judge.case import Case
from resilience.judge.effects.findings import Broken
from resilience.judge.entries import Entries, attempts, index
from resilience.judge.gates import distrust, gates
from resilience.judge.quantiles import NS
from resilience.judge.store import broken, told
from resilience.judge.taxonomy import Classified, classify
from resilience.model import Answer, EventKind, Json, Ledger, Part

SHOWN = 32
"""So many entries of a class are named, and so many stories told."""

NAME = "writes"
NOT_COVERED = "crash model covered: processes killed; not covered: operating-system crash or power failure"

_KEYS = (
    "duplicated",
    "corrupted",
    "stale",
    "out_of_order",
    "recovered",
    "over_applied",
    "rejected_present",
    "vanished",
)


def check_writes(case: Case) -> Part:
    """Judge the write ledger, with all its accounts, against the truths."""
    part = _check_ledger(case)
    accounts = judge_accounts(case)
    if not accounts:
        return part
    parts = [] if case.record.experiment.ledger is None else [(part.answer, part.because)]
    parts += [(one.answer, one.because) for one in accounts]
    answer = Answer.worst(answer for answer, _ in parts)
    because = "; ".join(because for each, because in parts if each is answer)
    evidence: list[Json] = [f"{one.name}: {line}" for one in accounts for line in one.evidence]
    data: dict[str, Json] = {**part.data, "accounts": tuple(one.data for one in accounts)}
    kept = () if case.record.experiment.ledger is None else part.evidence
    return Part(NAME, answer, because, (*kept, *evidence), data)


def _check_ledger(case: Case) -> Part:
    declared, lines, truth = case.record.experiment.ledger, case.record.ledger, case.record.truth
    if declared is None:
        return Part(NAME, Answer.PASS, "the experiment declares no write ledger", (), {"writes": None})
    if lines is None:
        return Part(NAME, Answer.UNKNOWN, "there is no write ledger in the record", (), {"writes": None})
    entries = index(lines)
    counts = _counts(entries)
    doubts = distrust((*entries.problems, *case.record.incomplete), truth, counts["acknowledged"])
    if truth is None or doubts:
        return Part(
            NAME, Answer.UNKNOWN, doubts[0], tuple(doubts), {"writes": counts | {"unverified": counts["acknowledged"]}}
        )
    classified = classify(entries, truth)
    counts |= {"verified": classified.count("verified"), "lost": classified.count("lost")}
    counts |= {"phantom": classified.phantom, "lost_after_seen": len(classified.lost_after_seen)}
    counts |= {key: classified.count(key) for key in _KEYS}
    counts |= {"unverified": classified.count("unchecked")}
    counts |= {"unchecked": classified.count("unchecked"), "stale_reads": classified.stale_reads}
    counts |= {"late_materialised": truth.late}
    failed = [*_broken(declared, classified), *broken(truth)]
    data: dict[str, Json] = {"writes": {**counts, "broken": [one.name for one in failed]}}
    why = gates(case, declared, entries, classified.count("unchecked"), truth)
    amiss = run_canary(lines, entries, truth, classified)
    if amiss:
        why.append(f"the checker itself failed its canary: {amiss}")
    evidence: list[Json] = [*failed, *why, *_stories(case, lines, entries, classified), *_named(entries, classified)]
    evidence += [*told(truth), NOT_COVERED]
    acknowledged = counts["acknowledged"]
    if failed:
        because = f"{'; '.join(failed)} (of {acknowledged:,} acknowledged)"
        return Part(NAME, Answer.FAIL, because, tuple(evidence), data)
    if why:
        return Part(NAME, Answer.UNKNOWN, why[0], tuple(evidence), data)
    because = (
        f"0 of {acknowledged:,} acknowledged writes were lost, duplicated, corrupted or out of order; "
        f"{counts['indeterminate']:,} were indeterminate, {counts['recovered']:,} of them stored"
    )
    return Part(NAME, Answer.PASS, because, tuple(evidence), data)


def _counts(entries: Entries) -> dict[str, int | None]:
    """What the ledger alone says; what needs the truth is None until it is known."""

    def count(column: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> int:
        return int(np.count_nonzero(column))

    return {
        "attempted": count(entries.attempted),
        "acknowledged": count(entries.acknowledged),
        "rejected": count(entries.rejected),
        "indeterminate": count(entries.indeterminate),
        "open": int(np.count_nonzero(entries.open)),
        "verified": None,
        "lost": None,
        "phantom": None,
    } | dict.fromkeys(_KEYS)


def _broken(declared: Ledger, classified: Classified) -> list[Broken]:
    """The promises that were broken, worst first."""
    once = declared.duplicates == "exactly-once"
    said = (
        ("lost", True, "acknowledged {} lost"),
        ("corrupted", True, "{} corrupted"),
        ("rejected_present", True, "rejected {} present all the same"),
        ("phantom", True, "{} present that nobody sent"),
        ("duplicated", once, "{} duplicated"),
        ("out_of_order", declared.ordered, "acknowledged {} stored out of order"),
        ("stale", declared.read_your_writes, "acknowledged {} missed by later reads"),
    )
    return [
        Broken(
            name,
            f"{classified.count(name):,} " + text.format("write is" if classified.count(name) == 1 else "writes are"),
        )
        for name, promised, text in said
        if promised and classified.count(name)
    ]


def intervals(entries: Entries, slots: Int64) -> str:
    """Entries as interval sets: `w3.0: 1041-1043, 2077`; at most `SHOWN` of them, then how many more."""
    runs: dict[tuple[int, int], list[list[int]]] = {}
    for slot in slots[:SHOWN].tolist():
        writer, epoch, seq = entries.name(slot)
        spans = runs.setdefault((writer, epoch), [])
        if spans and spans[-1][1] == seq - 1:
            spans[-1][1] = seq
        else:
            spans.append([seq, seq])
    text = "; ".join(
        f"w{writer}.{epoch}: " + ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
        for (writer, epoch), spans in runs.items()
    )
    return text + (f" and {len(slots) - SHOWN:,} more" if len(slots) > SHOWN else "")


_BAD = ("lost", "corrupted", "rejected_present", "duplicated", "over_applied", "out_of_order", "stale", "unchecked")


def _named(entries: Entries, classified: Classified) -> list[Json]:
    named: list[Json] = [
        f"{name}: {intervals(entries, classified.members[name])}" for name in _BAD if len(classified.members[name])
    ]
    return named


def _stories(case: Case, lines: LedgerLines, entries: Entries, classified: Classified) -> list[Json]:
    """For each lost write: when it was sent and acknowledged, the fault then active, and the nearest fault event."""
    nearby = [
        event
        for event in case.record.events
        if event.kind
        in {EventKind.REQUESTED, EventKind.CONFIRMED, EventKind.REVERTING, EventKind.CLEAR, EventKind.STRUCK}
    ]
    shown = classified.members["lost"][:SHOWN]
    begun_ns = attempts(lines, entries, shown) if len(shown) else {}
    stories: list[Json] = []
    for slot in shown.tolist():
        at_s = int(entries.settled_ns[slot]) / NS
        nearest = min(nearby, key=lambda event: abs(event.at_s - at_s), default=None)
        stories.append(
            {
                "lost": format_id(case.record.plan.run, *entries.name(slot)),
                "attempted_s": begun_ns[slot] / NS,
                "acknowledged_s": at_s,
                "seen_by_a_read": bool(np.isin(slot, classified.lost_after_seen)),
                "active_fault": _active(case, at_s),
                "nearest_event": None if nearest is None else f"{nearest.kind.value} {nearest.name}",
                "nearest_event_s": None if nearest is None else nearest.at_s,
            }
        )
    return stories


def _active(case: Case, at_s: float) -> str | None:
    for window in case.faults:
        end_s = window.until_s if window.clear_s is None else window.clear_s
        if window.requested_s is not None and window.requested_s <= at_s <= end_s:
            return window.name
    return None


def check_baseline(case: Case) -> Part:
    """Before the method: something was acknowledged, and no read missed or mistook an acknowledged write."""
    part = _check_early(case)
    if not case.record.experiment.accounts:
        return part
    answer, because = check_early(case)
    if case.record.experiment.ledger is None or answer.severity > part.answer.severity:
        return Part(NAME, answer, because)
    return part


def _check_early(case: Case) -> Part:
    if case.record.experiment.ledger is None:
        return Part(NAME, Answer.PASS, "the experiment declares no write ledger")
    if case.record.ledger is None:
        return Part(NAME, Answer.UNKNOWN, "there is no write ledger in the record")
    entries = index(case.record.ledger)
    if entries.problems:
        return Part(
            NAME, Answer.UNKNOWN, f"the write ledger cannot be believed: {entries.problems[0]}", entries.problems
        )
    acknowledged = int(np.count_nonzero(entries.acknowledged))
    settled_ns = entries.settled_ns[entries.read_slot]
    after = (entries.acknowledged[entries.read_slot] > 0) & (entries.read_ns > settled_ns)
    missed = int(np.count_nonzero(after & (entries.read_mark == Mark.MISSED)))
    wrong = int(np.count_nonzero(entries.read_mark == Mark.WRONG))
    promised = case.record.experiment.ledger.read_your_writes
    if wrong or (missed and promised):
        because = f"{wrong} reads returned something else than was written, {missed} missed an acknowledged write"
        return Part(NAME, Answer.FAIL, because)
    if acknowledged == 0:
        return Part(NAME, Answer.UNKNOWN, "no write was acknowledged yet")
    return Part(NAME, Answer.PASS, f"{acknowledged:,} writes acknowledged so far, all reads of them right")
