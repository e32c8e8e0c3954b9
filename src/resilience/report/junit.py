"""The verdict as JUnit XML, for whatever shows tests: a test case for the verdict, for each part and each objective.

Fail is a failure, unknown an error: no reader of this format takes an error for a pass, or leaves it out as skipped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from resilience.model import Answer, EventKind, Json
from resilience.report.document import as_text, number, objective_name, objective_value, rows, words
from resilience.report.material import Material
from resilience.text import printable

_MOST_LINES = 50
"""Lines of evidence of a test case."""


@dataclass(frozen=True, slots=True)
class _Case:
    kind: str
    name: str
    answer: str
    because: str
    evidence: tuple[Json, ...] = ()


def render(*runs: Material) -> bytes:
    """One test suite for each run; valid by the schema of Ant's JUnit task, and so by those of Jenkins and GitLab."""
    root = ET.Element("testsuites")
    root.extend([_suite(of, number) for number, of in enumerate(runs)])
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _suite(of: Material, number_of: int) -> ET.Element:
    cases = list(_cases(of))
    failed = sum(case.answer == Answer.FAIL.value for case in cases)
    passed = sum(case.answer == Answer.PASS.value for case in cases)
    length_s = number(of.document, "duration_s") or 0.0
    name = printable(of.record.experiment.name)
    suite = ET.Element(
        "testsuite",
        id=str(number_of),
        name=name,
        package="resilience",
        hostname="localhost",
        tests=str(len(cases)),
        failures=str(failed),
        errors=str(len(cases) - failed - passed),
        skipped="0",
        time=f"{length_s:.3f}",
    )
    if started := _started(of):
        suite.set("timestamp", started)
    properties = ET.SubElement(suite, "properties")
    told = {
        "run": of.record.plan.run,
        "seed": str(of.record.plan.seed),
        "digest": of.record.experiment.digest,
        "target": of.record.experiment.target,
        "stack": of.record.stack,
    }
    for key, value in told.items():
        ET.SubElement(properties, "property", name=key, value=printable(value))
    names: dict[tuple[str, str], int] = {}
    for case in cases:
        suite.append(_element(case, name, names))
    ET.SubElement(suite, "system-out").text = printable(f"{of.verdict.answer.value}: {of.verdict.because}")
    ET.SubElement(suite, "system-err").text = "\n".join(map(printable, of.record.problems))
    return suite


def _started(of: Material) -> str:
    """When the run began, in UTC and without a zone, as the schema wants it; nothing where the record does not say."""
    header = next((event.detail for event in of.record.events if event.kind is EventKind.HEADER), {})
    try:
        at = datetime.fromisoformat(as_text(header.get("wall_clock")))
    except ValueError:
        return ""
    return f"{at.astimezone(UTC) if at.tzinfo else at:%Y-%m-%dT%H:%M:%S}"


def _cases(of: Material) -> Iterator[_Case]:
    """The verdict itself, so that a run of which nothing could be judged is not a suite of no tests."""
    yield _Case("verdict", "verdict", of.verdict.answer.value, of.verdict.because)
    for part in of.verdict.parts:
        yield _Case("parts", part.name, part.answer.value, part.because, part.evidence)
    for row in rows(of.document, "objectives"):
        named = objective_name(row)
        said = f"{objective_value(row) or 'no value'}, {as_text(row.get('count'))} operations"
        yield _Case("objectives", named, words(row, "answer"), f"{named}: {said}")


def _element(case: _Case, suite: str, names: dict[tuple[str, str], int]) -> ET.Element:
    key = (case.kind, case.name)
    names[key] = names.get(key, 0) + 1
    again = f" ({names[key]})" if names[key] > 1 else ""
    element = ET.Element(
        "testcase", classname=f"{suite}.{case.kind}", name=printable(case.name, 300) + again, time="0.000"
    )
    if case.answer == Answer.PASS.value:
        return element
    tag, kind = ("failure", "fail") if case.answer == Answer.FAIL.value else ("error", "unknown")
    made = ET.SubElement(element, tag, message=printable(case.because, 1000), type=kind)
    made.text = "\n".join(_lines(case.because, case.evidence))
    return element


def _lines(because: str, evidence: Sequence[Json]) -> Iterator[str]:
    yield printable(because)
    for one in evidence[:_MOST_LINES]:
        yield f"- {printable(as_text(one), 2000)}"
    if len(evidence) > _MOST_LINES:
        yield f"- and {len(evidence) - _MOST_LINES} more in verdict.json"
