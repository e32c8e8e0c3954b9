"""Journeys: whether the account of each closes, and whether any ended in a way that no sample shows.

A journey whose step was not ok is broken off there, and the step's sample says so. But a good answer that lacks what
later steps need, or a mistake in a user's function, leaves only samples that are ok, and fewer of them: then too little
was asked of the target, nobody knows what would have come of it, and the run does not pass.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from resilience.columns import Record
from resilience.model import EventKind, Json

_ENDS = ("dropped", "completed", "unfinished")
_SILENT = ": "
"""Between the step and the reason, of journeys that were broken off although every answer was good."""


def journeys_of(record: Record) -> dict[str, Json]:
    """What became of the journeys, by name, as the generator told it."""
    accounts = [event.detail for event in record.events if event.kind is EventKind.LOAD]
    told = accounts[0].get("journeys") if len(accounts) == 1 else None
    return dict(told) if isinstance(told, Mapping) else {}


def steps_not_begun(record: Record) -> Iterator[str]:
    """What journeys leave out, in words."""
    told: dict[str, Any] = journeys_of(record)
    if record.experiment.load.journeys and not record.experiment.load.closed:
        yield (
            "Only the first steps of journeys come at their rate whatever happens: later ones wait for the answers "
            "before them, so a target that stalls is asked less of them (coordinated omission)."
        )
    for name, account in told.items():
        broken = _counts(account.get("broken_off")) if isinstance(account, Mapping) else None
        if broken is not None:
            yield (
                f"Of {account.get('arrived'):,} journeys {name}, {sum(broken.values()):,} were broken off and "
                f"{account.get('dropped'):,} not begun: their later steps were never offered, and count nowhere."
            )


def journey_problems(record: Record) -> Iterator[str]:
    """What keeps the verdict from passing."""
    told: dict[str, Any] = journeys_of(record)
    for journey in record.experiment.load.journeys:
        account = told.get(journey.name)
        if not isinstance(account, Mapping):
            yield f"the generator told nothing of the journey {journey.name}"
            continue
        broken, errors = _counts(account.get("broken_off")), _counts(account.get("errors"))
        ends = [account.get(name) for name in (*_ENDS, "arrived")]
        if broken is None or errors is None or not all(isinstance(one, int) for one in ends):
            yield f"the generator's account of the journey {journey.name} is incomplete: {dict(account)}"
            continue
        total = sum(account[name] for name in _ENDS) + sum(broken.values()) + sum(errors.values())
        if account["arrived"] != total:
            yield (
                f"the account of the journey {journey.name} does not close: arrived {account['arrived']:,}, "
                f"dropped + completed + broken off + unfinished + errors = {total:,}"
            )
        yield from _silent(journey.name, account, broken, errors)


def _silent(
    name: str, account: Mapping[str, Any], broken: Mapping[str, int], errors: Mapping[str, int]
) -> Iterator[str]:
    for what, count in errors.items():
        yield f"the function of the journey {name} raised {what} {count:,} times: mend it"
    for place, count in broken.items():
        if _SILENT in place:
            step, _, why = place.partition(_SILENT)
            yield f"{count:,} journeys {name} ended at step {step} without a failure: {why}"
    if account["arrived"] and not account["completed"]:
        yield f"no journey {name} came to its end, of {account['arrived']:,}"


def _counts(found: Any) -> dict[str, int] | None:  # noqa: ANN401 - any JSON
    if not isinstance(found, Mapping) or not all(isinstance(count, int) for count in found.values()):
        return None
    return dict(found)
