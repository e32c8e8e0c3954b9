"""The closing summary in the terminal: the answer and why, then the figures. All of it as judged."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience.model import Answer, Verdict
from resilience.report.bottlenecks import summary_lines
from resilience.report.document import (
    Row,
    about,
    as_text,
    degraded_share,
    items,
    number,
    objective_value,
    phase_label,
    rows,
    table,
    words,
)
from resilience.text import ABSENT, count, instant, milliseconds, percent, printable, rate, seconds

_STYLE = {Answer.PASS: "bold green", Answer.UNKNOWN: "bold yellow", Answer.FAIL: "bold red"}

_EVIDENCE = 5
"""Lines of evidence shown for each part that did not pass; the report has all of them."""

WRITES = (
    ("attempted", "sent"),
    ("acknowledged", "the target said that they are stored"),
    ("rejected", "certainly without effect"),
    ("indeterminate", "may or may not have had an effect"),
    ("verified", "acknowledged and found in the store, once and intact"),
    ("lost", "acknowledged, and not in the store"),
    ("duplicated", "in the store more than once"),
    ("phantom", "in the store, never sent or certainly rejected"),
    ("corrupted", "in the store with another content"),
    ("stale", "acknowledged, but a later read did not see them"),
    ("out_of_order", "stored in another order than acknowledged"),
    ("recovered", "indeterminate, and found in the store"),
)
"""The account of writes: key of `verdict.json` and what it counts."""


_HEAD = {"name", "effect", "answer", "because", "evidence"}
_ALWAYS = ("acknowledged", "indeterminate", "verified")


def account_lines(document: Row) -> list[tuple[str, str, str, str]]:
    """Each account of the ledger: name, effect, answer, and its figures: three always, of the others what is not 0."""
    made = []
    for row in rows(document, "accounts"):
        names = [*_ALWAYS, *(name for name in row if name not in _HEAD | {*_ALWAYS, "attempted"})]
        told = [(name, number(row, name)) for name in names if name in row]
        figures = ", ".join(
            f"{_known(value)} {name.replace('_', ' ')}" for name, value in told if value or name in _ALWAYS
        )
        made.append((words(row, "name"), words(row, "effect"), words(row, "answer"), figures))
    return made


def print_summary(verdict: Verdict, folder: str, console: Console) -> None:
    """Print the verdict: reasons first if it did not pass, then tables of figures, then where to read more.

    Args:
        verdict: as judged.
        folder: the run folder; the report is `report.html` in it.
        console: where to print; no colour is needed to understand what is printed.
    """
    document = verdict.document
    console.print()
    console.print(_reasons([(verdict.answer, verdict.because, ())]))
    parts = sorted(verdict.parts, key=lambda part: -part.answer.severity)
    reasons = [
        (
            part.answer,
            f"{part.name}: {part.because}",
            [text for text in map(as_text, part.evidence) if text != part.because],
        )
        for part in parts
        if part.answer is not Answer.PASS
    ]
    if reasons:
        console.print()
        console.print(_reasons(reasons))
    for made in (_phases(document), _faults(document), _recovery(document), _objectives(document)):
        if made.row_count:
            console.print()
            console.print(made)
    _writes(document, console)
    _service(document, console)
    _growth(document, console)
    _beside(document, console)
    _coverage(document, console)
    for line in summary_lines(document):
        console.print(Text(printable(line, 400), "yellow"))
    console.print()
    passed = ", ".join(part.name for part in verdict.parts if part.answer is Answer.PASS)
    console.print(Text(f"passed: {printable(passed) or 'nothing'}"))
    console.print(Text(f"report: {printable(folder)}/report.html"), soft_wrap=True)


def _reasons(reasons: Iterable[tuple[Answer, str, Sequence[str]]]) -> Table:
    """Answers beside their sentences, each with the first few lines of its evidence beneath."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for answer, because, evidence in reasons:
        made.add_row(Text(answer.value.upper(), _STYLE[answer]), Text(printable(because)))
        for text in evidence[:_EVIDENCE]:
            made.add_row("", Text(f"- {printable(text, 400)}", "dim"))
        if len(evidence) > _EVIDENCE:
            made.add_row("", Text(f"- and {len(evidence) - _EVIDENCE} more in the report", "dim"))
    return made


def _phases(document: Row) -> Table:
    made = _table("Phases", ("phase", "ok/s", "errors", "p50", "p95", "p99", "degraded"), words_first=1)
    for phase in rows(document, "phases"):
        figures = table(table(phase, "operations"), "all")
        made.add_row(
            _cell(phase_label(phase)),
            rate(number(figures, "rps")),
            percent(number(figures, "error_rate")),
            *(milliseconds(number(figures, key)) for key in ("p50_ms", "p95_ms", "p99_ms")),
            percent(degraded_share(figures)),
        )
    return made


def _faults(document: Row) -> Table:
    made = _table("Faults", ("fault", "kind", "on", "requested", "confirmed", "clear"), words_first=3)
    for fault in rows(document, "faults"):
        instants = [number(fault, key) for key in ("requested_s", "confirmed_s", "clear_s")]
        shown = ["NEVER" if at_s is None else instant(at_s) for at_s in instants]
        if fault.get("strike") is True:
            shown[2] = "a strike"
        made.add_row(*(_cell(words(fault, key)) for key in ("name", "kind", "on")), *shown)
    return made


def _recovery(document: Row) -> Table:
    recovery = table(document, "recovery")
    mean_s = number(recovery, "mttr_s")
    title = "Recovery: mean " + ("not known" if mean_s is None else seconds(mean_s))
    low, high = number(recovery, "mttr_low_s"), number(recovery, "mttr_high_s")
    if low is not None and high is not None:
        title += f" ({seconds(low)} to {seconds(high)})"
    title += f", limit {seconds(number(recovery, 'limit_s'))}"
    made = _table(title, ("fault", "impact", "degraded", "detected", "recovered", "outage", "±"), words_first=2)
    for cycle in rows(recovery, "cycles"):
        made.add_row(
            _cell(words(cycle, "fault")),
            _cell(words(cycle, "impact")),
            *(instant(number(cycle, key)) for key in ("degraded_s", "detected_s", "recovered_s")),
            *(seconds(number(cycle, key)) for key in ("outage_s", "resolution_s")),
        )
    return made


def _objectives(document: Row) -> Table:
    made = _table("Objectives", ("answer", "objective", "operation", "in", "value"), words_first=4)
    for row in sorted(rows(document, "objectives"), key=lambda row: _severity(words(row, "answer")), reverse=True):
        answer = words(row, "answer")
        style = _STYLE[Answer(answer)] if answer in {one.value for one in Answer} else ""
        made.add_row(
            Text(printable(answer.upper()), style),
            *(_cell(text) for text in (words(row, "expression"), about(row), words(row, "phase"))),
            objective_value(row) or ABSENT,
        )
    return made


def _severity(answer: str) -> int:
    return next((one.severity for one in Answer if one.value == answer), Answer.UNKNOWN.severity)


def _writes(document: Row, console: Console) -> None:
    account = table(document, "writes")
    told = [(name.replace("_", " "), number(account, name)) for name, _ in WRITES if name in account]
    if told:
        console.print()
        console.print(Text("Writes: " + ", ".join(f"{_known(value)} {name}" for name, value in told)))
    for name, effect, answer, figures in account_lines(document):
        console.print(Text(printable(f"Account {name} ({effect}): {answer}; {figures}", 400)))


def _service(document: Row, console: Console) -> None:
    """What each disturbance would have cost of a month's error budget."""
    service = table(document, "service")
    promise, days = number(service, "promised_availability"), number(service, "budget_days")
    costs = [(words(row, "fault"), number(row, "budget_used")) for row in rows(service, "incidents")]
    told = [f"{name} {share * 100:.3g} %" for name, share in costs if share is not None]
    if told and promise is not None and days is not None:
        console.print()
        of = f"of a {days:.0f}-day error budget at {promise * 100:g} %"
        console.print(Text(printable(f"Cost {of}: {', '.join(told)}")))


def _growth(document: Row, console: Console) -> None:
    """What grows although nobody declared that it must not: advice, which changed no answer."""
    found = [row for row in rows(document, "soak") if words(row, "course") == "grows" and not row.get("declared")]
    if found:
        console.print()
    for row in found:
        console.print(Text(f"advice: {printable(words(row, 'because'), 400)}", "yellow"))


def _beside(document: Row, console: Console) -> None:
    """The run beside earlier ones, and the group that a fault met beside the other."""
    compared, control = table(document, "regression"), table(document, "control")
    told = [f"Compared with before: {words(compared, 'because')}"] if compared else []
    told += [f"Control group: {words(row, 'because')}" for row in rows(control, "phases")]
    if told:
        console.print()
    for line in told:
        console.print(Text(printable(line, 600)))


def _coverage(document: Row, console: Console) -> None:
    """What the verdict covers, whatever it is, and what it does not."""
    coverage = table(document, "coverage")
    if words(coverage, "because"):
        console.print()
        console.print(Text(printable(f"This verdict {words(coverage, 'because')}.", 400)))
        for gap in items(coverage, "not_covered"):
            console.print(Text(f"- {printable(as_text(gap), 400)}", "dim"))


def _known(value: float | None) -> str:
    return "unknown" if value is None else count(value)


def _table(title: str, heads: Iterable[str], words_first: int) -> Table:
    made = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, head in enumerate(heads):
        figure = index >= words_first
        made.add_column(head, justify="right" if figure else "left", no_wrap=figure, overflow="fold")
    return made


def _cell(text: str) -> Text:
    return Text(printable(text) or ABSENT)
