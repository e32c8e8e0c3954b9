"""JUnit XML: valid, harmless, and never better than the verdict."""

from pathlib import Path
from xml.etree import ElementTree as ET

import xmlschema

from resilience.model import Answer, Part
from resilience.report.junit import render
from resilience.report.material import Material

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


def read(content):
    """The root element; it was written here."""
    return ET.fromstring(content)  # noqa: S314


def cases(content):
    """Name → what a reader of the file makes of it."""
    found = {}
    for case in read(content).iter("testcase"):
        kinds = [child.tag for child in case]
        found[case.get("classname").split(".")[-1], case.get("name")] = kinds[0] if kinds else "passed"
    return found


def test_valid_and_whole(make):
    """Requirement R1: by the schema; one case for the verdict, each part and each objective; the counts agree."""
    of = Material(make.record(), make.verdict())
    content = render(of)
    SCHEMA.validate(content.decode())
    suite = read(content).find("testsuite")
    assert suite.get("timestamp") == "2031-02-03T04:05:06"
    found = cases(content)
    assert int(suite.get("tests")) == len(found) == 1 + 4 + len(of.document["objectives"])
    assert set(found.values()) == {"passed"}
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_unknown_is_an_error_and_never_skipped(make):
    """A fail is a failure; an unknown, and an answer that is none of the three, is an error; none is left out."""
    document = make.document("fail")
    for row, answer in zip(document["objectives"], ("fail", "unknown", "", None), strict=False):
        row["answer"] = answer
    parts = (Part("a", Answer.FAIL, "lost"), Part("b", Answer.UNKNOWN, "not read"), Part("c", Answer.PASS, "well"))
    content = render(Material(make.record(), make.verdict(Answer.FAIL, document=document, parts=parts)))
    SCHEMA.validate(content.decode())
    found = cases(content)
    assert [found["parts", name] for name in "abc"] == ["failure", "error", "passed"]
    assert found["verdict", "verdict"] == "failure"
    told = [kind for (group, _), kind in found.items() if group == "objectives"]
    assert (told.count("failure"), told.count("error")) == (1, 3)
    suite = read(content).find("testsuite")
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("3", "4", "0")


def test_a_run_of_which_nothing_was_judged_is_no_empty_suite(make):
    """Readers take a suite without tests for a good one: the verdict itself is a case."""
    content = render(Material(make.record(), make.verdict(Answer.UNKNOWN, document={}, because="cut short")))
    assert cases(content)["verdict", "verdict"] == "error"


def test_hostile_texts(make):
    """Markup and control characters in any text leave the file valid; what is read is the text."""
    content = render(Material(*make.hostile()))
    SCHEMA.validate(content.decode())
    assert "<script>alert(1)</script>" in next(read(content).iter("failure")).get("message")
    assert b"\x1b" not in content
    assert b"\x00" not in content


def test_same_names_stay_apart(make):
    """Two objectives that read alike are two cases, of which neither hides the other."""
    document = make.document()
    document["objectives"] = [dict(document["objectives"][0]) for _ in range(3)]
    document["objectives"][1]["answer"] = "fail"
    found = cases(render(Material(make.record(), make.verdict(document=document))))
    assert sorted(kind for (group, _), kind in found.items() if group == "objectives") == [
        "failure",
        "passed",
        "passed",
    ]


def test_several_runs_are_several_suites(make):
    """Each with its own counts and number."""
    runs = [Material(make.record(), make.verdict()), Material(*make.hostile())]
    content = render(*runs)
    SCHEMA.validate(content.decode())
    assert [suite.get("id") for suite in read(content)] == ["0", "1"]
