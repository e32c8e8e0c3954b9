"""A capacity run: throughput over users, once for each number of copies; then what that is worth and what is needed."""

import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from resilience.ctk.run import to_who_listens
from resilience.ctk.steered import Job, Options, limit_of, load_for, plan_of, ready, run_job, show
from resilience.drill.search.levels import Climber
from resilience.drill.search.steps import FLUSH_S, Lengths, Measurer
from resilience.errors import SpecError
from resilience.judge.search.capacity import Copies, Efficiency, efficiencies, measured_of, plan
from resilience.judge.search.step import Judged
from resilience.model import Answer, Capacity, Experiment, Json, Load, Problem, Think, Verdict, Workers
from resilience.record import documents
from resilience.runtime.steering import Steering
from resilience.spec.resolve import resolve

RESULT = "capacity.json"
"""What came of all numbers of copies, in the folder of the last run."""


def started(load: Load, capacity: Capacity) -> Load:
    """The load as it is at the start: the fewest users, who never think."""
    return replace(
        load,
        rate=0.0,
        users=capacity.users[0],
        think=Think(mean_s=0.0),
        stages=(),
        profile=None,
        arrivals="constant",
        max_in_flight=capacity.users[-1],
        baseline_s=max(capacity.settle_s, 1.0),
        workers=Workers(local=1),
    )


def variants(experiment: Experiment) -> tuple[Experiment, ...]:
    """The experiment with each number of copies, without steps, and with the load of a capacity run.

    Raises:
        SpecError: there is no service of ours that could have several copies.
    """
    capacity = experiment.capacity
    assert capacity is not None  # noqa: S101 - load_for has looked
    plain = replace(experiment, load=started(experiment.load, capacity), steps=())
    service = experiment.stack.service
    if not capacity.copies:
        return (plain,)
    if service is None:
        raise SpecError(Problem("capacity.copies", "the stack starts no service", "leave out copies"))
    return tuple(
        replace(plain, stack=replace(plain.stack, service=replace(service, copies=count))) for count in capacity.copies
    )


def lengths_of(experiment: Experiment, capacity: Capacity) -> Lengths:
    """How long things take."""
    longest_s = max((operation.timeout_s for operation in experiment.load.operations), default=0.0)
    return Lengths(settle_s=capacity.settle_s, step_s=capacity.step_s, longest_s=longest_s, ahead_s=0.0)


def usual_s(experiment: Experiment, capacity: Capacity) -> float:
    """How long it usually takes with one number of copies."""
    return experiment.load.warm_up_s + len(capacity.users) * (capacity.settle_s + capacity.step_s + 1.5) + 2 * FLUSH_S


def outline(experiment: Experiment) -> tuple[dict[str, Json], list[str]]:
    """What would be done, as JSON and in lines."""
    made = variants(experiment)
    capacity = experiment.capacity
    assert capacity is not None  # noqa: S101 - load_for has looked
    long_s = len(made) * usual_s(made[0], capacity)
    users: list[Json] = list(capacity.users)
    copies: list[Json] = list(capacity.copies)
    document: dict[str, Json] = {"users": users, "copies": copies, "usual_s": round(long_s, 1)}
    numbers = ", ".join(map(str, capacity.users))
    lines = [
        f"throughput with {numbers} users who never think, {capacity.settle_s:g} + {capacity.step_s:g} s each",
        f"once for each number of copies of the service: {', '.join(map(str, capacity.copies)) or 'as the file has'}",
        f"it usually takes {long_s / 60:.1f} minutes; nothing was touched yet",
    ]
    return document, lines


def capacity_file(path: Path, options: Options) -> int:
    """Measure; print what came of it. Returns the exit code of the program."""
    experiment = load_for(path, "capacity")
    if options.stack:
        experiment = replace(experiment, stack=replace(experiment.stack, use=options.stack))
    capacity = experiment.capacity
    assert capacity is not None  # noqa: S101 - load_for has looked
    seed = secrets.randbits(32) if options.seed is None else options.seed
    console = Console(stderr=options.as_json)
    verdicts: list[Verdict] = []
    folder = options.runs
    for variant in variants(resolve(experiment, seed)):
        verdict, folder = _measured(variant, capacity, seed, options, console)
        verdicts.append(verdict)
        if not options.as_json:
            show(verdict, folder, options, console, listed="throughput")
        if any(part.name == "validity" and "interrupted" in part.because for part in verdict.parts):
            break
    result, answer = _together(capacity, verdicts, len(capacity.copies) or 1)
    documents.save_document(folder / RESULT, result)
    with to_who_listens():
        if options.as_json:
            sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            _print(result, console)
    return answer.exit_code


def _measured(
    variant: Experiment, capacity: Capacity, seed: int, options: Options, console: Console
) -> tuple[Verdict, Path]:
    """One number of copies."""
    copies = variant.stack.service.copies if variant.stack.service is not None else 1

    def say(users: int, judged: Judged) -> None:
        p95 = "     –" if judged.p95_ms is None else f"{judged.p95_ms:6.0f}"
        line = f"{copies:>2} copies {users:>6} users  {judged.rps:9.1f} ok/s  p95 {p95} ms  {judged.seen} {judged.why}"
        with to_who_listens():
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    def climb(means: Steering, measurer: Measurer) -> None:
        Climber(means, measurer, capacity.step_s, say).climb(capacity.users)

    job = Job(
        "capacity",
        variant,
        plan_of(variant, seed, usual_s(variant, capacity)),
        ready(variant, options),
        capacity.objectives,
        lengths_of(variant, capacity),
    )
    return run_job(job, options, climb)


def _together(capacity: Capacity, verdicts: Sequence[Verdict], asked: int) -> tuple[dict[str, Json], Answer]:
    """What came of all numbers of copies."""
    measured = measured_of([verdict.document for verdict in verdicts])
    scaling = efficiencies(measured)
    answers = [verdict.answer for verdict in verdicts]
    if len(verdicts) < asked or (capacity.copies and len(measured) < len(capacity.copies)):
        answers.append(Answer.UNKNOWN)
    answer = Answer.worst(answers)
    runs: list[Json] = [dict(verdict.document) for verdict in verdicts]
    planned = plan(capacity, measured)
    if planned is not None and planned["copies"] is None and answer is Answer.PASS:
        answer = Answer.FAIL if measured else Answer.UNKNOWN
    efficiency: list[Json] = [one.json() for one in scaling]
    result: dict[str, Json] = {
        "answer": answer.value,
        "because": _because(measured, scaling, planned, verdicts),
        "scaling": efficiency,
        "plan": planned,
        "limit": next((found for verdict in reversed(verdicts) if (found := limit_of(verdict))), None),
        "runs": runs,
    }
    return result, answer


def _because(
    measured: Sequence[Copies],
    scaling: Sequence[Efficiency],
    planned: dict[str, Json] | None,
    verdicts: Sequence[Verdict],
) -> str:
    if not measured:
        return "; ".join(verdict.because for verdict in verdicts)
    said = [
        f"{one.copies} cop{'y' if one.copies == 1 else 'ies'}: {one.rps:.1f}/s at {one.users} users" for one in measured
    ]
    words = {True: "linear", False: "not linear", None: "not known whether linear"}
    said += [
        f"scaling to {one.copies} is {words[one.linear]} ({one.value:.0%}, {one.low:.0%} to {one.high:.0%})"
        for one in scaling
    ]
    if planned is not None and planned["copies"] is not None:
        of = f"{planned['demand_per_s']:g}/s with {planned['headroom']:.0%} headroom"
        said.append(f"{planned['copies']} bear the demand of {of}")
    elif planned is not None:
        said.append(
            f"none of them bears the demand of {planned['demand_per_s']:g}/s with {planned['headroom']:.0%} headroom; "
            f"about {planned['extrapolated_copies']} would, if it went on to scale so, which was not measured"
        )
    return "; ".join(said)


def _print(result: dict[str, Json], console: Console) -> None:
    answer = str(result["answer"])
    colour = {"pass": "green", "fail": "red", "unknown": "yellow"}[answer]
    console.print()
    console.print(f"[bold {colour}]{answer.upper()}[/] all together", highlight=False)
    for line in str(result["because"]).split("; "):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    planned = result["plan"]
    if isinstance(planned, dict) and "cost_hour" in planned:
        costs = planned["cost_per_million_at_demand"]
        console.print(f"  a million requests cost {costs:.2f} {planned['currency']} at the demand", markup=False)
