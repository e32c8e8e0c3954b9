"""Faults that are set in the stand-in: by name, for a time, for a share of the requests."""

import pytest

from resilience.provider.faults import Faults, UnfitError


class Time:
    """A clock that stands until it is moved."""

    at = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.at


def test_one_ends_by_itself_and_others_stay():
    """Nobody has to remove it: after its time it is neither listed nor met (Requirement F7)."""
    clock = Time()
    faults = Faults(clock)
    faults.put("short", {"kind": "failing", "ttl_s": 5})
    faults.put("long", {"kind": "throttled", "ttl_s": 50})
    assert {*faults.met()} == {"failing", "throttled"}
    clock.at += 5
    assert [fault["name"] for fault in faults.listed()] == ["long"]
    assert {*faults.met()} == {"throttled"}
    assert faults.remove("short") is False
    assert faults.remove("long") is True
    assert faults.met() == {}


@pytest.mark.parametrize("percent", [5, 20, 50, 100])
def test_its_share_is_met(percent: int):
    """Of 2,000 requests its share meets it, give or take 3 %, and the same ones each time."""
    runs = []
    for _ in range(2):
        faults = Faults()
        faults.put("share", {"kind": "failing", "ttl_s": 60, "settings": {"percent": percent}})
        runs.append([bool(faults.met()) for _ in range(2000)])
    assert runs[0] == runs[1]
    assert abs(sum(runs[0]) / 20 - percent) <= 3
    assert faults.listed()[0]["met"] == sum(runs[0])


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"kind": "failing"},
        {"kind": "failing", "ttl_s": 0},
        {"kind": "failing", "ttl_s": float("inf")},
        {"kind": "down", "ttl_s": 1},
        {"kind": ["failing"], "ttl_s": 1},
        {"kind": "failing", "ttl_s": 1, "settings": {"status": "404"}},
        {"kind": "failing", "ttl_s": 1, "settings": {"percent": 101}},
        {"kind": "failing", "ttl_s": 1, "settings": {"percent": True}},
        {"kind": "failing", "ttl_s": 1, "settings": {"latency_ms": 1}},
        {"kind": "failing", "ttl_s": 1, "settings": 3},
        {"kind": "failing", "ttl_s": 1, "more": 3},
    ],
)
def test_what_is_no_fault_is_refused(document: object):
    """One without an end above all."""
    faults = Faults()
    with pytest.raises(UnfitError):
        faults.put("one", document)
    assert faults.listed() == []
