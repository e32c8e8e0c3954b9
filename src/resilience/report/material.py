"""What a report is made from, and what a section of it is.

A new section is a module in `sections/` with a function `section(of: Material) -> Section | None`, named in
`sections.SECTIONS`, where its place in the page is. It returns None if there is nothing to say. Figures that were
judged are taken from `of.document`, never computed again.
"""

from dataclasses import dataclass, field
from functools import cached_property

from markupsafe import Markup

from resilience.columns import Record
from resilience.model import Verdict
from resilience.report.charts import Chart
from resilience.report.document import Row
from resilience.report.series import Series, find_series


@dataclass(frozen=True)
class Material:
    """A run as a report sees it.

    Attributes:
        record: as read.
        verdict: as judged.
        comparison: the run beside an earlier one or a baseline, as JSON (`compare RUN RUN --json`); empty if none is
            given. A verdict that was judged against a baseline has its comparison in `document`.
    """

    record: Record
    verdict: Verdict
    comparison: Row = field(default_factory=dict)

    @property
    def document(self) -> Row:
        """`verdict.json`: every judged figure."""
        return self.verdict.document

    @cached_property
    def series(self) -> Series:
        """The run over time, in bins; made once for all sections."""
        return find_series(self.record)


@dataclass(frozen=True, slots=True)
class Definition:
    """How a number of a section is defined.

    Attributes:
        term: the number, as the section calls it.
        meaning: its formula in words.
        window: of which stretch of the run it is. samples: from how many operations, cycles or readings it is.
    """

    term: str
    meaning: str
    window: str = ""
    samples: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a report.

    Attributes:
        name: one word, unique; the section is found under `#name`.
        title: its heading.
        body: what stands beneath, as HTML (`markup.fill`: everything in it is escaped). Where a chart belongs it has
            `charts.figure(chart)`.
        charts: those charts, which the page's script draws and the paper's pictures are made from.
        brief: the same in a few sentences of plain text, for the Markdown of a pull request; escaped there.
        definitions: how its numbers are defined, one click away.
    """

    name: str
    title: str
    body: Markup
    charts: tuple[Chart, ...] = ()
    brief: tuple[str, ...] = ()
    definitions: tuple[Definition, ...] = ()
