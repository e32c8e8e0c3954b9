import pytest

from resilience.model import Load
from tests.judge.builder import OPERATIONS, Scene


class Silent(Scene):
    """Nothing arrives between 4 and 19 s."""

    def samples(self):
        """All but those of the baseline."""
        samples = super().samples()
        return samples.where((samples.arrival_ns < 4 * 10**9) | (samples.arrival_ns >= 19 * 10**9))


@pytest.fixture
def silent_baseline():
    return Silent(load=Load(rate=250, operations=OPERATIONS))
