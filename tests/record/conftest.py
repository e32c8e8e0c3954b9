"""Parts of a record that several modules here need."""

import pytest

from resilience import model
from resilience.codec import decode


class SteppingClock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self):
        self.now = -1.0

    def now_s(self):
        """A second later than before."""
        self.now += 1.0
        return self.now

    def sleep_until(self, at_s):
        """Be there at once."""
        self.now = max(self.now, at_s)


@pytest.fixture
def clock():
    return SteppingClock()


@pytest.fixture
def experiment():
    """A small experiment with a ledger."""
    return decode(
        model.Experiment,
        {
            "title": "Redis fails",
            "name": "redis-failure",
            "digest": "00",
            "folder": "/somewhere",
            "target": "shop",
            "stack": {"use": "embedded"},
            "load": {
                "rate": 10,
                "operations": [{"name": "read", "weight": 1, "method": "GET", "path": "/"}],
            },
            "objectives": [],
            "ledger": {"truth": {"query": "SELECT 1", "part": "postgres"}},
            "recovery": {},
            "safety": {},
            "steps": [{"phase": "after", "duration_s": 1}],
            "chaos": {"title": "Redis fails"},
        },
    )


@pytest.fixture
def plan():
    return model.Plan(run="0badcafe", seed=1, phases=(), duration_s=1.0, arrivals=10, undo={})
