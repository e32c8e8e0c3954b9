"""The report as PDF for paper: WeasyPrint lays out the same sections, Matplotlib draws the charts.

Both come with the extra `pdf` and are imported when one is asked for. Nothing is fetched from anywhere: the only
addresses that the layout may ask for are those of the charts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from resilience import __version__
from resilience.errors import EnvironmentNotReady
from resilience.model import Answer, EventKind, Problem
from resilience.report.axis import Axis, find_axis
from resilience.report.charts import Chart, figure
from resilience.report.html import find_sections
from resilience.report.markup import asset, fill
from resilience.report.material import Material, Section
from resilience.report.tiles import find_tiles
from resilience.text import printable

_SCHEME = "chart:"
_NEEDS_LIBRARIES = "on Debian `apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0`"


def render(runs: Sequence[Material]) -> bytes:
    """One document; with several runs a table of their verdicts comes first, and each begins a page.

    Raises:
        EnvironmentNotReady: what lays it out is not installed.
    """
    to_pdf, draw = _libraries()
    pictures: dict[str, bytes] = {}
    made = []
    for number, of in enumerate(runs, start=1):
        sections, axis = find_sections(of), find_axis(of)
        bodies = []
        for section in sections:
            names = {
                chart.name: f"{_SCHEME}{number}-{section.name}-{index}" for index, chart in enumerate(section.charts)
            }
            pictures |= {names[chart.name]: draw(chart, axis) for chart in section.charts}
            bodies.append((section, _body(section, names)))
        made.append(_values(of, bodies))
    page = fill(
        "paper.html.j2",
        runs=made,
        style=asset("paper.css"),
        answer=Answer.worst(of.verdict.answer for of in runs).value,
        version=__version__,
    )

    return to_pdf(page, pictures)


def _libraries() -> tuple[Callable[[str, Mapping[str, bytes]], bytes], Callable[[Chart, Axis], bytes]]:
    try:
        from resilience.report.layout import to_pdf  # noqa: PLC0415 - of an extra, and slow to import
        from resilience.report.pictures import draw  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        message = f"PDF needs the Python package {error.name}"
        raise EnvironmentNotReady(Problem("pdf", message, "`pip install 'resilience[pdf]'`")) from error
    except OSError as error:  # a library of the system that WeasyPrint loads
        message = f"PDF needs a library that is not here: {printable(str(error), 200)}"
        raise EnvironmentNotReady(Problem("pdf", message, _NEEDS_LIBRARIES)) from error
    return to_pdf, draw


def _body(section: Section, names: dict[str, str]) -> Markup:
    """The section with pictures where the page has places for them."""
    body = section.body
    for chart in section.charts:
        body = body.replace(figure(chart), _picture(chart, names[chart.name]))
    return body


def _picture(chart: Chart, address: str) -> Markup:
    return Markup(
        '<figure{}><figcaption><strong>{}</strong> {}</figcaption><img src="{}" alt="{} over time"></figure>'
    ).format(
        Markup(' class="small"') if chart.small else "",
        printable(chart.title, 200),
        printable(chart.note, 400),
        address,
        printable(chart.title, 200),
    )


def _values(of: Material, bodies: Sequence[tuple[Section, Markup]]) -> dict[str, Any]:
    header = next((event.detail for event in of.record.events if event.kind is EventKind.HEADER), {})
    return {
        "of": of,
        "record": of.record,
        "verdict": of.verdict,
        "tiles": find_tiles(of),
        "sections": [(section, body) for section, body in bodies if section.name != "events"],
        "header": header,
    }
