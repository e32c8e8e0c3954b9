"""What a run did not cover."""

from dataclasses import replace

from resilience.model import Answer, Event, EventKind, Part
from resilience.report.gaps import find_gaps


def said(record, verdict):
    return "\n".join(find_gaps(record, verdict))


def test_crash_model_is_named(record, verdict):
    """Killing a process does not test what is on disk, and a pass must not sound as if it did."""
    text = said(record, verdict)
    assert "killing a process does not" in text
    assert "fsync = on" in text
    assert "toxiproxy.down on redis" in text


def test_fault_that_was_not_seen_is_a_gap(record, make):
    """A fault never observed active, or never observed gone, is said to be so."""
    document = make.document()
    document["faults"][0]["confirmed_s"] = None
    document["faults"][1]["clear_s"] = None
    text = said(record, make.verdict(document=document))
    assert "redis-down was never observed active" in text
    assert "redis-hung was never observed to be gone" in text


def test_problems_of_the_record_come_first(make):
    """A damaged record, a torn ledger and an interruption are gaps."""
    whole = make.record()
    record = make.record(
        problems=("no footer",),
        ledger=replace(whole.ledger, problems=("torn line",)),
        truth=None,
        events=(*whole.events, Event(70.0, EventKind.INTERRUPTED, "", {"reason": "SIGINT"})),
    )
    verdict = make.verdict(Answer.UNKNOWN, parts=(Part("writes", Answer.UNKNOWN, "no truth"),))
    gaps = find_gaps(record, verdict)
    assert "no footer" in gaps[0]
    for words in ("torn line", "SIGINT", "truth about writes could not be read", "Unknown: writes: no truth"):
        assert any(words in gap for gap in gaps)


def test_operation_never_offered_is_a_gap(record, make):
    """An operation of the mix that no phase counted is named."""
    document = make.document()
    for phase in document["phases"]:
        phase["operations"]["place-order"]["count"] = 0
    assert "Never offered in any phase: place-order" in said(record, make.verdict(document=document))


def test_faults_that_were_in_place_together_are_named(record, make):
    """Else they were tried one at a time."""
    document = make.document()
    assert "tried, one at a time: process.kill" in said(record, make.verdict(document=document))
    document["recovery"]["cycles"][0]["faults"] = ["redis-down", "redis-hung"]
    text = said(record, make.verdict(document=document))
    assert "one at a time except redis-down with redis-hung: process.kill" in text
