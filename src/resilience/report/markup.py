"""HTML from templates: every text from outside is escaped twice over.

What cannot be seen is escaped by `resilience.text.printable`, what HTML would understand by Jinja's autoescape.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from resilience.model import Answer
from resilience.report import document
from resilience.report.document import number, phase_label, words
from resilience.text import ABSENT, count, instant, milliseconds, percent, printable, rate, seconds

_SYMBOLS = {"pass": "✓", "unknown": "?", "fail": "✗"}


def fill(template: str, **values: object) -> Markup:
    """A template of `assets/` with these values; a section's is `sections/NAME.html.j2`.

    Filters: `ms`, `s`, `at` (an instant), `pct` (a share of 1), `n` (a count) and `rate` show a judged figure for
    reading and carry it unrounded; `word` and `items` read a row of the document; `label` names a phase.
    """
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - escaped by the environment


def asset(name: str) -> str:
    """A file of `assets/` as text."""
    return (files("resilience.report") / "assets" / name).read_text(encoding="utf-8")


def _figure(show: Callable[[float | None], str]) -> Callable[[Any], str]:
    """A filter that shows a figure for reading and carries it unrounded: `<data value="12.3456" …>12.3 ms</data>`."""

    def filtered(value: Any) -> str:  # noqa: ANN401 - whatever the document holds
        known = number({"value": value}, "value") if not isinstance(value, jinja2.Undefined) else None
        if known is None:
            return Markup('<span class="none">{}</span>').format(ABSENT)
        return Markup('<data value="{0}" title="{0}">{1}</data>').format(repr(known), show(known))

    return filtered


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """Escape what cannot be seen in every text that a template prints; what is markup already is ours."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(asset), autoescape=True, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "ms": _figure(milliseconds),
        "s": _figure(seconds),
        "at": _figure(instant),
        "pct": _figure(percent),
        "n": _figure(count),
        "rate": _figure(rate),
        "label": phase_label,
        "degraded": document.degraded_share,
        "value": document.objective_value,
        "about": document.about,
        "text": document.as_text,
        "word": words,
        "items": document.items,
        "symbol": lambda answer: _SYMBOLS.get(answer, "?"),
        "known": lambda answer: answer if answer in {one.value for one in Answer} else "unknown",
    }
    environment.tests["compares"] = document.compares
    return environment
