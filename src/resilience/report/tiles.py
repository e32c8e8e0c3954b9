"""The figures that a reviewer asks for first, each with what it is a figure of. All of them as judged."""

from collections.abc import Iterator
from dataclasses import dataclass

from resilience.model import Answer
from resilience.report.document import number, rows, table, words
from resilience.report.material import Material
from resilience.text import count, percent, seconds


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure.

    Attributes:
        tone: `fail` or `unknown` where it is why the run has that answer, else empty: a figure is not praised.
    """

    label: str
    value: str
    note: str = ""
    tone: str = ""


def find_tiles(of: Material) -> tuple[Tile, ...]:
    """Those of this run; what was not judged has none."""
    return (*_recovery(of), *_writes(of), *_objectives(of), *_errors(of), *_faults(of))


def _tone(of: Material, *parts: str) -> str:
    answers = [part.answer for part in of.verdict.parts if part.name in parts]
    worst = Answer.worst(answers) if answers else Answer.PASS
    return "" if worst is Answer.PASS else worst.value


def _recovery(of: Material) -> Iterator[Tile]:
    recovery = table(of.document, "recovery")
    cycles = rows(recovery, "cycles")
    if not cycles:
        return
    mean_s, low_s, high_s = (number(recovery, key) for key in ("mttr_s", "mttr_low_s", "mttr_high_s"))
    note = f"limit {seconds(number(recovery, 'limit_s'))}, {_many(len(cycles), 'cycle')}"
    if low_s is not None and high_s is not None:
        note = f"{seconds(low_s)} to {seconds(high_s)}, {note}"
    unseen = all(words(cycle, "impact") == "none" for cycle in cycles)
    told = seconds(mean_s) if mean_s is not None else "no impact" if unseen else "not known"
    yield Tile("Mean time without full service", told, note, _tone(of, "recovery"))


def _writes(of: Material) -> Iterator[Tile]:
    account = table(of.document, "writes")
    tone = _tone(of, "writes")
    if account:
        lost, acknowledged = number(account, "lost"), number(account, "acknowledged")
        told = "not known" if lost is None else count(lost)
        yield Tile("Acknowledged writes lost", told, f"of {count(acknowledged)}", tone)
    accounts = rows(of.document, "accounts")
    if accounts:
        sound = sum(words(row, "answer") == Answer.PASS.value for row in accounts)
        yield Tile("Accounts of writes that are sound", f"{sound} of {len(accounts)}", "", tone)


def _objectives(of: Material) -> Iterator[Tile]:
    found = rows(of.document, "objectives")
    if found:
        met = sum(words(row, "answer") == Answer.PASS.value for row in found)
        yield Tile("Objectives met", f"{met} of {len(found)}", "", _tone(of, "objectives"))


def _errors(of: Material) -> Iterator[Tile]:
    during = [
        (share, phase)
        for phase in rows(of.document, "phases")
        if words(phase, "name") == "fault"
        and (share := number(table(table(phase, "operations"), "all"), "error_rate")) is not None
    ]
    if during:
        share, phase = max(during, key=lambda one: one[0])
        yield Tile("Errors under the worst fault", percent(share), words(phase, "fault"), _tone(of, "degradation"))


def _faults(of: Material) -> Iterator[Tile]:
    found = rows(of.document, "faults")
    if found:
        proved = sum(number(row, "confirmed_s") is not None and number(row, "clear_s") is not None for row in found)
        yield Tile("Faults seen to come and go", f"{proved} of {len(found)}", "", _tone(of, "faults"))


def _many(number_of: int, what: str) -> str:
    return f"{number_of} {what}" if number_of == 1 else f"{number_of} {what}s"
