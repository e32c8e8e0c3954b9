"""Whether operations that last fit together: jobs that are followed, answers that are streamed. Pure."""

import re

from resilience.model import Job, Objective, Operation, Role, StackSpec
from resilience.spec.durations import format_duration
from resilience.spec.findings import Findings, did_you_mean, show
from resilience.spec.text import join

JOB_ID = "job_id"
_HOLDERS = {"ttft": "stream", "tokens": "stream", "queue": "job", "processing": "job"}
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def check_lasting(
    path: str, operation: Operation, stack: StackSpec | None, allowed: tuple[str, ...], findings: Findings
) -> None:
    """Note what is wrong with a job or a streamed answer.

    Args:
        path: of the operation.
        operation: as it was read.
        stack: of the file; None if it could not be read.
        allowed: names that have a value in its request.
        findings: where problems go.
    """
    if operation.job is not None and operation.stream is not None:
        findings.add(join(path, "stream"), "a job's answer is not streamed", "keep job or stream; job has events")
    if operation.timed and not operation.path and findings.clean(join(path, "request")):
        findings.add(join(path, "request"), "is missing: nothing says what is sent", "add request: {path: /…}")
    way = "job" if operation.job is not None else "stream"
    if operation.timed and operation.role is Role.READ_BACK:
        findings.add(join(path, way), "means nothing for a read-back", "make it a read or a write")
    if operation.timed and operation.method == "HEAD":
        findings.add(join(join(path, "request"), "method"), "HEAD has no answer to be read", "write GET or POST")
    if operation.job is not None:
        _check_job(join(path, "job"), operation, operation.job, allowed, findings)
    if operation.stream is not None and operation.stream.on and stack is not None:
        listening = [program.name for program in stack.programs if program.ready]
        if operation.stream.on not in listening:
            message = f"the stack has no program {operation.stream.on!r} that listens"
            findings.add(join(join(path, "stream"), "on"), message, did_you_mean(operation.stream.on, listening))
    if operation.stream is not None and set(operation.expect.json) - {"text", "tokens"}:
        known = "of a streamed answer are known: text (all of it) and tokens (how many)"
        findings.add(join(join(path, "expect"), "json"), f"{show(dict(operation.expect.json))} cannot be told", known)


def _check_job(path: str, operation: Operation, job: Job, allowed: tuple[str, ...], findings: Findings) -> None:
    if job.poll and job.events:
        findings.add(join(path, "events"), "a job is asked after or tells by itself", "keep poll or events")
    for key, text in (("poll", job.poll), ("events", job.events)):
        for name in sorted(set(_PLACEHOLDER.findall(text)) - {JOB_ID, *allowed}):
            known = ", ".join(f"${{{one}}}" for one in (JOB_ID, *allowed))
            findings.add(join(path, key), f"${{{name}}} is not known here", f"it may hold {known}")
    taken: dict[str, str] = {}
    for key, states in (("queued", job.queued), ("done", job.done), ("failed", job.failed)):
        for index, state in enumerate(states):
            if taken.setdefault(state, key) != key:
                findings.add(join(join(path, key), index), f"{state!r} is one of {taken[state]} already", "keep one")
    if job.interval_s >= operation.timeout_s and not job.events:
        message = f"the first question would come after {format_duration(job.interval_s)}, when the time limit of "
        hint = "lengthen timeout, which is for the whole job"
        findings.add(join(path, "interval"), f"{message}{format_duration(operation.timeout_s)} is over", hint)


def check_measure(path: str, objective: Objective, operations: list[Operation], findings: Findings) -> None:
    """Note an objective about something that no operation has.

    Args:
        path: of the objective.
        objective: as it was read.
        operations: of the file, those that could be read.
        findings: where problems go.
    """
    if not objective.measure:
        return
    holder = _HOLDERS[objective.measure]
    about = [one for one in operations if objective.operation in {"all", one.name}]
    if about and not any(getattr(one, holder) is not None for one in about):
        message = f"{show(objective.expression)} could never be judged: no operation that it is about has a {holder}"
        findings.add(path, message, f"add {holder} to an operation, or leave out {objective.measure}:")
