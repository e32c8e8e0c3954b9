"""What the live picture says, line by line. Pure: styles are names; `live.terminal` turns them into colours.

Nothing is said by colour alone: a state is a word, a fault phase has a character of its own.
"""

from resilience.live import strip, words
from resilience.live.state import WINDOW_S, FaultState, Snapshot
from resilience.live.strip import Line, Run
from resilience.model import Experiment, Outcome, PhaseName, Plan, Verdict
from resilience.text import clock, count, milliseconds, percent, printable, rate

_SILENT_S = 3.0
"""After this long without a report from the generator its figures are old, and the picture says so."""


class Picture:
    """Says a snapshot in lines, the most important first."""

    def __init__(self, experiment: Experiment, plan: Plan) -> None:
        self._experiment = experiment
        self._plan = plan
        self._numbers = {fault.name: number for number, fault in enumerate(experiment.faults, start=1)}

    def paint(
        self, snapshot: Snapshot, width: int, room: int, glyphs: strip.Glyphs, verdict: Verdict | None = None
    ) -> list[Line]:
        """At most `room` lines. The time line is `width` characters; other lines may be longer and want cutting."""
        lines = [self._where(snapshot), self._now(snapshot, judged=verdict is not None), *self._load(snapshot)]
        tail = [*self._unusual(snapshot), *self._problems(snapshot)]
        if room >= _CRAMPED:
            lines += self._time_line(snapshot, width, 3 if room >= _ROOMY else 1, glyphs)
            tail = [*self._faults(snapshot, max(1, room - len(lines) - 3)), *tail]
        else:
            tail += self._faults(snapshot, len(snapshot.faults))
        if verdict is not None:
            tail.append(_line(("Verdict   ", "head"), (f"{verdict.answer.value.upper()} ", "now"), verdict.because))
        return [*lines, *tail][:room]

    def _where(self, snapshot: Snapshot) -> Line:
        spec, plan = self._experiment, self._plan
        left = "ended" if snapshot.ended else f"{clock(snapshot.left_s)} left"
        return _line(
            (f"{clock(snapshot.now_s)}  {left}", "head"),
            (f"   target {spec.target} ({spec.stack.use}), run {plan.run}, seed {plan.seed}", "dim"),
        )

    def _now(self, snapshot: Snapshot, *, judged: bool) -> Line:
        if snapshot.interrupted:
            return _line(("Phase     ", "head"), (f"INTERRUPTED: {snapshot.interrupted}", "bad"))
        if snapshot.ended:
            told = "the run is over" if judged else "load is over; reading the truth and judging"
            return _line(("Phase     ", "head"), told)
        if snapshot.current is None:
            return _line(("Phase     ", "head"), "starting")
        stretch = snapshot.stretches[snapshot.current]
        name = f"fault {stretch.fault}" if stretch.name is PhaseName.FAULT else stretch.name.value
        since = f" {max(0.0, snapshot.now_s - stretch.start_s):.1f} s"
        total = f" of {stretch.end_s - stretch.start_s:.1f} s"
        return _line(
            ("Phase     ", "head"), (name, "bad" if stretch.name is PhaseName.FAULT else "good"), since + total
        )

    def _load(self, snapshot: Snapshot) -> list[Line]:
        now, total = snapshot.now, snapshot.total
        silent = snapshot.silent_s
        if not now.length_s:
            note = _line(("Load      ", "head"), ("no figures from the load generator yet", "dim"))
        elif silent is not None and silent > _SILENT_S:
            note = _line(("Load      ", "head"), (words.silence(silent), "bad"))
        else:
            note = _line(
                ("Load      ", "head"),
                f"ok {rate(now.per_second(now.count(Outcome.OK)))}/s of {rate(now.per_second(now.offered))}/s offered",
                f", in flight {count(now.in_flight)}",
                (f"   (last {WINDOW_S:.0f} s)", "dim"),
            )
        share = now.error_share
        errors = _line(
            ("Errors    ", "head"),
            (percent(share), "bad" if share else ""),
            f" now; run: {count(total.count(Outcome.FAILED))} failed, {count(total.count(Outcome.UNKNOWN))} unknown, "
            f"{count(total.count(Outcome.DROPPED))} dropped of {count(total.offered)}",
        )
        degraded = now.degraded_share
        quality = _line(
            ("Latency   ", "head"),
            ", ".join(f"p{share} {milliseconds(now.quantile_ms(share / 100))}" for share in (50, 95, 99)),
            ("   (live estimate)", "dim"),
        )
        answers = _line(("Degraded  ", "head"), (percent(degraded), "warn" if degraded else ""), " of ok answers now")
        writes = _line(
            ("Writes    ", "head"),
            f"{count(total.attempted)} attempted, {count(total.acknowledged)} acknowledged, ",
            (f"{count(total.unsettled)} at risk", "warn" if total.unsettled else ""),
            (" (in flight or indeterminate)", "dim"),
        )
        return [note, errors, quality, answers, writes]

    def _time_line(self, snapshot: Snapshot, width: int, height: int, glyphs: strip.Glyphs) -> list[Line]:
        length_s = strip.axis(snapshot)
        values = strip.cells(snapshot.p95s, length_s, width)
        seen = [value for value in snapshot.p95s.values() if value is not None]
        span = f"{milliseconds(min(seen))} to {milliseconds(max(seen))}, log scale" if seen else "nothing answered yet"
        dead = sum(value is None for value in snapshot.p95s.values())
        return [
            _line(),
            _line(
                ("p95 over the run  ", "head"), (span, "dim"), (f"; {glyphs.silent} no answer" if dead else "", "bad")
            ),
            *strip.latency(values, height, glyphs),
            strip.phases(snapshot, length_s, width, glyphs),
            strip.here(snapshot, length_s, width, glyphs),
            strip.names(snapshot, length_s, width, self._numbers),
        ]

    def _faults(self, snapshot: Snapshot, room: int) -> list[Line]:
        faults = snapshot.faults
        if not faults:
            return []
        shown = faults if len(faults) <= room else _most_telling(faults, max(1, room - 1))
        lines = [self._fault(fault) for fault in shown]
        if len(shown) < len(faults):
            lines.append(_line((f"          and {len(faults) - len(shown)} more faults", "dim")))
        return lines

    def _fault(self, fault: FaultState) -> Line:
        number = self._numbers.get(fault.name)
        style = {"active": "bad", "clear": "good", "struck": "good", "planned": "dim"}.get(fault.word, "warn")
        steps = [
            f"{name} {at_s:.1f} s"
            for name, at_s in (
                ("requested", fault.requested_s),
                ("struck" if fault.strike else "confirmed", fault.confirmed_s),
                ("clear", fault.clear_s),
            )
            if at_s is not None
        ]
        if not steps and fault.planned_s is not None:
            steps = [f"at about {fault.planned_s:.0f} s"]
        trouble = f"  TROUBLE at {fault.trouble}" if fault.trouble else ""
        return _line(
            (f"F{number} " if number else "F  ", "head"),
            f"{fault.name:<15} ",
            (f"{fault.word:<9}", style),
            (f" {', '.join(steps)}", "dim"),
            (trouble, "bad"),
            (f"  {fault.kind}{f' on {fault.on}' if fault.on else ''}", "dim"),
        )

    def _unusual(self, snapshot: Snapshot) -> list[Line]:
        """What is not as in the baseline, if anything; under a fault that is to be expected."""
        if not snapshot.unusual:
            return []
        told = "; ".join(
            f"{one.figure} up to {one.seen} since {clock(one.since_s)} (usually {one.usual})"
            if one.more
            else f"{one.figure} down to {one.seen} since {clock(one.since_s)} (usually {one.usual})"
            for one in snapshot.unusual
        )
        return [_line(("Unusual   ", "head"), told)]

    def _problems(self, snapshot: Snapshot) -> list[Line]:
        if not snapshot.problem_count:
            return [_line(("Problems  ", "head"), "none so far" if not snapshot.ended else "none")]
        at_s, text = snapshot.problems[-1]
        lines = [_line((f"Problems  {snapshot.problem_count}", "bad"), f", last at {clock(at_s)}: {text}")]
        lines += [_line((f"          {clock(at)}: {text}", "dim")) for at, text in list(snapshot.problems)[-2:-1]]
        return lines


_CRAMPED = 16
"""Lines below which there is no time line, and problems come before faults."""

_ROOMY = 20
"""Lines from which the latency picture is three rows high instead of one."""


def _most_telling(faults: tuple[FaultState, ...], room: int) -> tuple[FaultState, ...]:
    """Those in trouble or under way, then those to come, then those that are over; in their own order."""
    rank = {"requested": 0, "active": 0, "reverting": 0, "planned": 1, "clear": 2, "struck": 2}
    chosen = sorted(faults, key=lambda fault: -1 if fault.trouble else rank[fault.word])[:room]
    return tuple(fault for fault in faults if fault in chosen)


def _line(*runs: str | Run) -> Line:
    """Characters with the names of their styles; what cannot be printed is escaped."""
    return [(printable(run), "") if isinstance(run, str) else (printable(run[0]), run[1]) for run in runs]
