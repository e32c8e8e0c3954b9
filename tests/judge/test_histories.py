"""Every history in `fixtures/histories` gets the verdict that it must get, part by part."""

import json
from collections.abc import Mapping, Sequence

import pytest

from fixtures.histories import ASKED, PARTS, load_all, read
from resilience.judge.verdict import judge
from resilience.model import Answer

HISTORIES = {history.name: history for history in load_all()}


def figure(document, path):
    """What stands at a dotted path of the document."""
    found = document
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found[step]
        else:
            assert isinstance(found, Sequence), path
            found = found[int(step)]
    return found


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_gets_its_verdict(name):
    """Requirements J1 to J5: the answer, the answer and reason of every part, and the figures where they are exact."""
    history = HISTORIES[name]
    verdict = judge(history.record)
    seen = {part.name: part for part in verdict.parts}
    told = {part: f"{seen[part].answer.value}: {seen[part].because} {seen[part].evidence}" for part in seen}
    assert set(seen) == set(history.expect.parts)
    for part, wanted in history.expect.parts.items():
        assert seen[part].answer is wanted.answer, f"{part}: {told[part]}"
        assert wanted.because in seen[part].because, f"{part}: {told[part]}"
    assert verdict.answer is history.expect.answer, verdict.because
    document = json.loads(json.dumps(verdict.document, allow_nan=False))
    for path, value in history.expect.figures.items():
        if isinstance(value, tuple):
            assert figure(document, path) == pytest.approx(value[0], abs=value[1]), path
        else:
            assert figure(document, path) == value, path


def test_there_are_good_and_bad_histories_enough():
    """At least sixty, no story twice; for every part some in which it passes, is unknown, and fails where it can."""
    assert len(HISTORIES) >= 60
    assert len({history.story for history in HISTORIES.values()}) == len(HISTORIES)
    for part in (*PARTS, *ASKED):
        expected = [history.expect.parts for history in HISTORIES.values()]
        answers = {parts[part].answer for parts in expected if part in parts}
        can = {Answer.PASS, Answer.UNKNOWN} | ({Answer.FAIL} if part not in {"faults", "validity"} else set())
        assert answers == can, part


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"story": "x", "storry": "y"}, "keys that mean nothing"),
        ({"story": "x", "events": "soon end", "expect": {"answer": "pass"}}, "is no event"),
        ({"story": "x", "events": "1 end", "traffic": "all bad", "expect": {"answer": "pass"}}, "is no traffic"),
        ({"story": "x", "events": "1 end", "writes": "w0 7", "expect": {"answer": "pass"}}, "is no write"),
        ({"story": "x", "events": "1 end", "writes": "", "truth": "lost", "expect": {"answer": "pass"}}, "is no truth"),
        ({"story": "x", "events": "1 end", "expect": {"answer": "pass", "writes": "maybe"}}, "is no expectation"),
        ({"story": "x", "events": "1 end", "expect": {"answer": "pass", "wrotes": "pass"}}, "there is no part"),
        ({"story": "x", "events": "1 load", "expect": {"answer": "pass"}}, "`until` must say"),
    ],
)
def test_a_history_that_means_nothing_is_refused(text, told):
    """A slip of the pen is no history: nothing is left out silently."""
    with pytest.raises(ValueError, match=told):
        read("slip", text)
