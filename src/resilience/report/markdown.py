"""The verdict as Markdown for a pull request: what decides first and in few lines, the rest folded away.

Foreign texts stand in it as texts: no markup, no link, no picture, nobody mentioned, no issue referred to.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from resilience import __version__
from resilience.model import Answer, Json
from resilience.report.document import (
    Row,
    about,
    as_text,
    degraded_share,
    items,
    number,
    objective_name,
    objective_value,
    phase_label,
    rows,
    table,
    words,
)
from resilience.report.gaps import find_gaps
from resilience.report.html import find_sections
from resilience.report.material import Material
from resilience.report.summary import WRITES, account_lines
from resilience.text import ABSENT, count, instant, milliseconds, percent, printable, rate, seconds

_SYMBOLS = {"pass": "✅", "unknown": "❔", "fail": "❌"}
_BAD = ("lost", "duplicated", "phantom", "corrupted", "stale", "out_of_order")

MOST = 60_000
"""Characters of a report at most: what GitHub takes as a comment is 65,536."""

_MOST_ROWS = 60
_MOST_TOLD = 12
_CLASSIC = re.compile(r"([\\`*_\[\]|~$])")
_BEGINNING = re.compile(r"^([#+\-=>]|\d+(?=[.)](?:\s|$)))")


def escape(text: str, limit: int = 600) -> str:
    """A text from anywhere as Markdown that shows just that text, in one line."""
    shown = printable(text, limit).strip()
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _CLASSIC.sub(r"\\\1", shown)
    # GitHub's own: a mention, an issue or a bare link would be made of what is only a text.
    shown = re.sub(r"([@#])(?=\w)", r"\1&#8203;", shown)
    shown = re.sub(r"(?i)(https?|ftp|mailto|xmpp)(:)", r"\1&#58;", shown)
    shown = re.sub(r"(?i)\b(www)\.", r"\1&#46;", shown)
    return _BEGINNING.sub(lambda found: f"{found[1]}&#8203;" if found[1].isdigit() else f"\\{found[1]}", shown)


def render(*runs: Material) -> bytes:
    """The report of a run, or of several: then a table of their verdicts comes first."""
    if len(runs) == 1:
        return _limited(_run(runs[0], "##"))
    told = [
        [_answer(of.verdict.answer.value), escape(of.record.experiment.name), escape(of.verdict.because, 300)]
        for of in runs
    ]
    worst = Answer.worst(of.verdict.answer for of in runs)
    lines = [f"## {_answer(worst.value)}: {len(runs)} runs", "", *_table(("answer", "experiment", "because"), told), ""]
    for of in runs:
        lines += [*_run(of, "###"), ""]
    return _limited(lines)


def _limited(lines: Iterable[str]) -> bytes:
    """As many whole lines as may be; what is folded is not left open."""
    taken: list[str] = []
    size = depth = 0
    for line in lines:
        size += len(line) + 1
        if size > MOST:
            taken += ["</details>"] * depth
            taken += ["", "_The rest is in the report itself._"]
            break
        depth += line.startswith("<details>") - line.startswith("</details>")
        taken.append(line)
    return ("\n".join(taken).rstrip("\n") + "\n").encode()


def _run(of: Material, heading: str) -> Iterator[str]:
    document, experiment = of.document, of.record.experiment
    yield f"{heading} {_answer(of.verdict.answer.value)}: {escape(experiment.title)}"
    yield ""
    yield escape(of.verdict.because, 1500)
    yield ""
    for part in sorted(of.verdict.parts, key=lambda part: -part.answer.severity):
        if part.answer is not Answer.PASS:
            yield f"- {_answer(part.answer.value)} **{escape(part.name)}**: {escape(part.because, 1000)}"
    yield from _recovery(table(document, "recovery"))
    yield from _writes(document)
    yield from _objectives(rows(document, "objectives"))
    yield ""
    yield from _faults(document)
    briefs = [section for section in find_sections(of) if section.brief and section.name != "gaps"]
    for section in briefs:
        yield f"**{escape(section.title)}**"
        yield ""
        yield from _listed(section.brief)
    yield from _folded("What is not covered", list(_listed(find_gaps(of.record, of.verdict), most=40)))
    yield from _folded("Phases", _phases(document))
    yield from _folded("All objectives", _all_objectives(document))
    yield from _folded("Evidence", list(_evidence(of)))
    yield (
        f"<sub>experiment {escape(experiment.name)} · run {escape(of.record.plan.run)} · seed {of.record.plan.seed} · "
        f"digest {escape(experiment.digest[:12])} · resilience {escape(__version__)}</sub>"
    )


def _answer(answer: str) -> str:
    known = answer if answer in _SYMBOLS else Answer.UNKNOWN.value
    return f"{_SYMBOLS[known]} {known.upper()}"


def _recovery(recovery: Row) -> Iterator[str]:
    cycles = rows(recovery, "cycles")
    if not cycles:
        yield "- Recovery: not judged"
        return
    mean_s, low_s, high_s = (number(recovery, key) for key in ("mttr_s", "mttr_low_s", "mttr_high_s"))
    told = "not known" if mean_s is None else seconds(mean_s)
    if low_s is not None and high_s is not None:
        told += f" (from {seconds(low_s)} to {seconds(high_s)})"
    limit = seconds(number(recovery, "limit_s"))
    yield f"- Mean time without full service: {told}, limit {limit}, cycles: {len(cycles)}"


def _writes(document: Row) -> Iterator[str]:
    account = table(document, "writes")
    known = {name: number(account, name) for name, _ in WRITES}
    if account:
        bad = [f"**{count(known[name])} {name.replace('_', ' ')}**" for name in _BAD if known[name]]
        unknown = [name.replace("_", " ") for name in ("acknowledged", *_BAD) if known[name] is None]
        told = [f"{count(known['acknowledged'])} acknowledged, {count(known['verified'])} verified", *bad]
        told += [f"not known: {', '.join(unknown)}"] if unknown else [] if bad else ["none lost"]
        yield f"- Writes: {', '.join(told)}"
    for name, effect, answer, figures in account_lines(document):
        yield f"- Account {escape(name)} ({escape(effect)}): {escape(answer)}; {escape(figures)}"
    if not account and not account_lines(document):
        yield "- Writes: not judged"


def _objectives(found: Sequence[Row]) -> Iterator[str]:
    if not found:
        yield "- Objectives: none"
        return
    missed = [row for row in found if words(row, "answer") != Answer.PASS.value]
    yield f"- Objectives: {len(found) - len(missed)} of {len(found)} met"
    for row in missed[:_MOST_TOLD]:
        yield (
            f"  - {_answer(words(row, 'answer'))} {escape(objective_name(row))}: "
            f"{escape(objective_value(row) or 'no value')}"
        )
    if len(missed) > _MOST_TOLD:
        yield f"  - and {len(missed) - _MOST_TOLD} more"


def _faults(document: Row) -> Iterator[str]:
    found = rows(document, "faults")
    if not found:
        yield "There were no faults."
        yield ""
        return
    cycles = {as_text(name): cycle for cycle in rows(table(document, "recovery"), "cycles") for name in _names(cycle)}
    made = []
    for fault in found[:_MOST_ROWS]:
        cycle = cycles.get(words(fault, "name"), {})
        confirmed, clear = number(fault, "confirmed_s"), number(fault, "clear_s")
        made.append(
            [
                escape(words(fault, "name")),
                escape(f"{words(fault, 'kind')} on {words(fault, 'on')}"),
                "**never**" if confirmed is None else instant(confirmed),
                "**never**" if clear is None else instant(clear),
                escape(words(cycle, "impact")) or ABSENT,
                seconds(number(cycle, "outage_s")),
                seconds(number(cycle, "resolution_s")),
            ]
        )
    heads = ("fault", "what", "seen active", "seen gone", "impact", "without full service", "±")
    yield from _table(heads, made)
    yield ""


def _names(cycle: Row) -> Sequence[Json]:
    return items(cycle, "faults") or (words(cycle, "fault"),)


def _phases(document: Row) -> list[str]:
    made = []
    for phase in rows(document, "phases")[:_MOST_ROWS]:
        found = table(phase, "operations")
        for name in sorted(found, key=lambda name: (name != "all", name)):
            figures = table(found, name)
            made.append(
                [
                    escape(phase_label(phase)),
                    escape(name),
                    count(number(figures, "count")),
                    rate(number(figures, "rps")),
                    escape(percent(number(figures, "error_rate"))),
                    escape(percent(degraded_share(figures))),
                    *(milliseconds(number(figures, key)) for key in ("p50_ms", "p95_ms", "p99_ms")),
                ]
            )
    heads = ("phase", "operation", "offered", "ok/s", "errors", "degraded", "p50", "p95", "p99")
    return list(_table(heads, made)) if made else []


def _all_objectives(document: Row) -> list[str]:
    made = [
        [
            _answer(words(row, "answer")),
            escape(words(row, "expression")),
            escape(about(row)),
            escape(words(row, "phase")),
            escape(objective_value(row)) or ABSENT,
            count(number(row, "count")),
        ]
        for row in rows(document, "objectives")
    ]
    heads = ("answer", "objective", "operation", "in", "value", "operations")
    return list(_table(heads, made)) if made else []


def _evidence(of: Material) -> Iterator[str]:
    for part in of.verdict.parts:
        yield f"- {_answer(part.answer.value)} **{escape(part.name)}**: {escape(part.because, 1000)}"
        told = [one for one in part.evidence if isinstance(one, str)]
        for one in told[:_MOST_TOLD]:
            yield f"  - {escape(one, 400)}"
        if len(told) > _MOST_TOLD:
            yield f"  - and {len(told) - _MOST_TOLD} more"


def _listed(sentences: Sequence[str], most: int = _MOST_TOLD) -> Iterator[str]:
    for sentence in sentences[:most]:
        yield f"- {escape(sentence)}"
    if len(sentences) > most:
        yield f"- and {len(sentences) - most} more"
    yield ""


def _folded(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"<details><summary>{title}</summary>"
        yield ""
        yield from lines
        yield ""
        yield "</details>"
        yield ""


def _table(heads: Sequence[str], made: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in made:
        yield f"| {' | '.join(row)} |"
