"""Whether the client sent each operation once is known from the record, or the load is not believed."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.once import once_words
from resilience.judge.validity import check_validity
from resilience.model import Answer, EventKind
from tests.judge.builder import honest


def case(told, promises=("self_check",)):
    """An honest record whose header promises, and whose generator tells, this of its clients."""
    record = honest().record()
    events = []
    for event in record.events:
        if event.kind is EventKind.HEADER and promises is not None:
            event = replace(event, detail={**event.detail, "promises": list(promises)})  # noqa: PLW2901 - in its place
        if event.kind is EventKind.LOAD and told is not None:
            event = replace(event, detail={**event.detail, "self_check": told})  # noqa: PLW2901 - in its place
        events.append(event)
    return prepare(replace(record, events=tuple(events)))


def counts(asked, once, again, *examples):
    return {"http": {"asked": asked, "once": once, "again": again, "examples": list(examples)}}


def test_a_client_that_was_tried_and_sent_once_is_believed():
    """And the verdict says how often it was tried."""
    found = check_validity(case(counts(18, 18, 0)))
    assert found.answer is Answer.PASS, found.because
    assert "each operation was sent once by the clients of http (18 calls) when they were tried" in found.evidence


def test_an_old_record_promised_nothing_and_is_judged_as_it_was():
    """Records from before this was tried mean what they meant; so do those of somebody's script."""
    for promises in (None, ()):
        found = check_validity(case(None, promises))
        assert found.answer is Answer.PASS, found.because
        assert once_words(case(None, promises)) == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, "it was not shown that its http client sends each operation once"),
        ({}, "it was not shown"),
        ({"redis": counts(6, 6, 0)["http"]}, "it was not shown"),
        ({"http": "well"}, "it was not shown"),
        ({"http": {"asked": 6, "once": 6}}, "it was not shown"),
        (counts(6, 6, -1), "it was not shown"),
        (counts(6, 7, 0), "it was not shown"),
        (counts("6", "6", "0"), "it was not shown"),
        (counts(6, 4, 2, "read, put off"), "its http client tries again by itself, 2 of 6 times (read, put off)"),
        (counts(6, 0, 6), "its http client tries again by itself, 6 of 6 times"),
        (counts(6, 5, 0), "of 6 calls by which its http client was tried, 1 were never sent"),
    ],
)
def test_a_client_of_which_it_is_not_known_is_not_believed(told, said):
    """Unknown, never pass, and never the target's fault."""
    found = check_validity(case(told))
    assert found.answer is Answer.UNKNOWN
    assert said in found.because
    assert found.because.startswith("the generator, not the target: ")


def test_what_could_not_be_tried_is_said_and_is_no_problem():
    """There is no server for TLS: nothing speaks against the client, and nothing for it."""
    found = check_validity(case(counts(0, 0, 0)))
    assert found.answer is Answer.PASS
    assert "whether the client of http sends each operation once was not tried" in found.evidence
