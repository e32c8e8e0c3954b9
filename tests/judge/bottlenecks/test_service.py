"""What a service shows of itself: pools, calls and processor time each have their signs."""

import numpy as np
import pytest

from resilience.model.resources import Unit
from tests.judge.bottlenecks.made import calls, made, places, pool, sessions, step


def test_a_pool_that_is_full_while_statements_are_as_quick_as_ever_is_too_small():
    """Requirement M5: pool."""
    assert places(*pool(8, 60), *calls("database", 1, 6, 0.004, 0.004), *sessions(2.0))[0] == "pool"


def test_a_provider_in_whose_calls_the_operations_are_is_named():
    """Requirement M5: model provider. Eight calls at once are all that there may be."""
    limit = made("calls.provider.busy", "service", np.full(42, 7.0), 8.0)
    assert places(*calls("provider", 0.2, 7.8, 0.02, 0.3), limit)[0] == "provider"


def test_a_cache_in_whose_calls_the_operations_are_is_named():
    """Requirement M5: cache."""
    assert places(*calls("cache", 0.3, 60, 0.001, 0.15))[0] == "cache"


def test_a_service_without_processor_time_sees_every_call_take_longer():
    """Requirement M5: processor time. What only it says of others is a symptom."""
    cpu = made("process.cpu", "service", step(23, 0.12, 0.2, 0.001), 0.2, Unit.CORES)
    found = places(cpu, *pool(8, 60), *calls("database", 1, 8, 0.004, 0.1), *calls("cache", 0.3, 40, 0.001, 0.1))
    assert found[0] == "cpu"


def test_one_thread_with_a_whole_core_is_at_its_limit():
    """A machine has more of them, which it cannot use."""
    cpu = made("process.cpu", "service", step(23, 0.3, 1.0, 0.01), 4.0, Unit.CORES)
    one = made("process.count", "service", np.ones(42))
    assert places(cpu, one) == ["cpu"]
    assert places(cpu, made("process.count", "service", np.full(42, 3.0))) == []


@pytest.mark.parametrize("gone", ["pool.waiting", "calls.database.count"])
def test_with_some_of_the_metrics_missing_less_is_said(gone):
    """A pool of which nobody says who waits, or statements of which nobody says how long they take."""
    series = [*pool(8, 60), *calls("database", 1, 6, 0.004, 0.004)]
    assert places(*(one for one in series if one.name != gone))[:1] == ["pool"]
