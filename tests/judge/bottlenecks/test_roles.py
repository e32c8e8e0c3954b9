"""Pools and calls are recognised under the names that services give them."""

import numpy as np
import pytest

from resilience.judge.bottlenecks.roles import calls_of, metric_of, pools_of
from resilience.model.resources import Resources
from tests.judge.bottlenecks.made import made


def of(**values):
    """Resources of a service, each with one steady value."""
    return Resources(tuple(made(name, "service", np.full(5, value)) for name, value in values.items()))


@pytest.mark.parametrize(
    "names",
    [
        ('shop_database_pool{what="used"}', 'shop_database_pool{what="most"}', 'shop_database_pool{what="waiting"}'),
        (
            'db_client_connection_count{db_client_connection_state="used"}',
            "db_client_connection_max",
            "db_client_connection_pending_requests",
        ),
        ("hikaricp_connections_active", "hikaricp_connections_max", "hikaricp_connections_pending"),
    ],
)
def test_a_pool_is_known_by_the_metrics_of_its_library(names):
    """In use, the most there may be, and who waits."""
    (pool,) = pools_of(of(**dict(zip(names, (3.0, 8.0, 2.0), strict=True))))
    assert (pool.of, pool.used.value[0], pool.most, pool.waiting.value[0]) == ("service", 3.0, 8.0, 2.0)


def test_two_pools_of_a_service_are_kept_apart():
    """By the label that names them, or by their metric."""
    found = of(
        **{
            'hikaricp_connections_active{pool="orders"}': 3.0,
            'hikaricp_connections_max{pool="orders"}': 8.0,
            'hikaricp_connections_active{pool="reports"}': 1.0,
            'hikaricp_connections_max{pool="reports"}': 2.0,
            'shop_reports_pool{what="used"}': 1.0,
            'shop_reports_pool{what="most"}': 4.0,
        }
    )
    assert sorted((pool.name, pool.most) for pool in pools_of(found)) == [
        ("orders", 8.0),
        ("reports", 2.0),
        ("shop_reports_pool", 4.0),
    ]


def test_without_the_most_there_may_be_a_pool_says_nothing():
    """In use of how many?"""
    assert list(pools_of(of(go_sql_in_use_connections=3.0))) == []


def test_calls_at_once_are_the_time_spent_in_them():
    """Little's law: 40 calls a second of 50 ms each are two at once, whatever is seen at single instants."""
    found = of(
        **{
            'shop_dependency_seconds_sum{dependency="cache"}': 2.0,
            'shop_dependency_seconds_count{dependency="cache"}': 40.0,
            'shop_dependency_busy{dependency="cache"}': 7.0,
            'shop_dependency_limit{dependency="cache"}': 32.0,
        }
    )
    (calls,) = calls_of(found)
    assert (calls.dependency, calls.at_once.value[0], calls.limit) == ("cache", 2.0, 32.0)
    assert calls.each_s.value.tolist() == pytest.approx([0.05] * 5)


def test_names_of_series_are_metrics_with_labels():
    """As Prometheus writes them."""
    assert metric_of('a_b{c="d",e="f"}') == ("a_b", {"c": "d", "e": "f"})
    assert metric_of("process.cpu") == ("process.cpu", {})
