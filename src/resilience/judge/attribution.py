"""Whether each answer went to whoever asked: of the wrong ones, those that were meant for another request.

What an answer must repeat of its request is known from the file: a field of `expect.json` whose text holds a name, such
as `id: "${key}"` or `tenant: "${tenant}"`; and of a read-back, the id of the entry that was asked for. An answer that
came well and holds another value there is *misattributed*: whatever it says, it says of something or somebody else. One
that lacks the field, or is wrong elsewhere, is wrong in another way.

One of them fails the run, whenever it was given.
"""

from collections.abc import Iterator

import numpy as np

from resilience.judge.case import Case
from resilience.judge.findings import Finding, Judged
from resilience.judge.quantiles import NS
from resilience.model import DIFFERS, OTHER_ENTRY, Answer, Json, Operation, Role

_UNEXPECTED = ("unexpected answer", "bad ack: unexpected answer")


def judge_attribution(case: Case) -> Judged:
    """Count them for each operation whose answers say what they are an answer to."""
    findings: list[Finding] = []
    rows: list[Json] = []
    for operation in case.record.experiment.load.operations:
        told = repeated(operation)
        if not told:
            continue
        index = case.traffic.index(operation.name)
        samples = case.traffic.samples
        own = samples.where(samples.operation == index)
        kinds = [place for place, text in enumerate(samples.details) if is_misattributed(text, told)]
        hits = own.where(np.isin(own.detail, kinds))
        rows.append({"operation": operation.name, "misattributed": len(hits), "of": len(own)})
        if len(hits):
            first = int(np.argmin(hits.end_ns))
            said = f"{len(hits):,} answers of {operation.name} belong to another request, the first"
            detail = hits.details[int(hits.detail[first])]
            findings.append(Finding(Answer.FAIL, f"{said} at {hits.end_ns[first] / NS:.3f} s: {detail}"))
    return Judged(tuple(findings), tuple(rows))


def repeated(operation: Operation) -> tuple[str, ...]:
    """How the details begin of its answers that belong to another request; empty if none can be told."""
    return tuple(_beginnings(operation))


def is_misattributed(detail: str, beginnings: tuple[str, ...]) -> bool:
    """Whether a detail says so."""
    if detail.startswith(DIFFERS):
        return detail.startswith(beginnings) and OTHER_ENTRY in detail
    return detail.startswith(beginnings) and not any(detail.startswith(f"{one}nothing,") for one in beginnings)


def _beginnings(operation: Operation) -> Iterator[str]:
    for path, text in operation.expect.json.items():
        if "${" in text:
            yield from (f"{kind}: {path} is " for kind in _UNEXPECTED)
    if operation.role is Role.READ_BACK:
        yield DIFFERS
