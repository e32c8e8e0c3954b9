"""How long a script of k6 lasts and which of its users wait, as far as `k6 inspect` says so."""

import pytest

from resilience.load.drivers import k6


@pytest.mark.parametrize(
    ("options", "lasts_s"),
    [
        ({"vus": 1, "duration": "1m30s"}, 90.0),
        ({"stages": [{"duration": "10s"}, {"duration": "500ms"}]}, 10.5),
        ({"iterations": 5, "vus": 1}, None),
        ({}, None),
        ({"scenarios": {"a": {"executor": "constant-vus", "duration": "10s", "startTime": "5s"}}}, 15.0),
        (
            {
                "scenarios": {
                    "a": {"executor": "constant-vus", "duration": "10s"},
                    "b": {"executor": "ramping-arrival-rate", "stages": [{"duration": "1m"}]},
                }
            },
            60.0,
        ),
        ({"scenarios": {"a": {"executor": "per-vu-iterations", "maxDuration": "3m"}}}, 180.0),
        ({"scenarios": {"a": {"executor": "per-vu-iterations"}}}, None),
        ({"scenarios": {"a": {"executor": "constant-vus", "duration": "10 parsecs"}}}, None),
        ({"scenarios": {"a": None}}, None),
    ],
)
def test_how_long_a_script_of_k6_begins_something_at_the_longest(options, lasts_s):
    """What is not known is not guessed."""
    assert k6.lasts(options) == lasts_s


def test_whose_users_wait_for_their_answers():
    """Those of arrival rates wait for work; constant ones begin again at once, as long as they last."""
    found = k6.scenarios(
        {
            "scenarios": {
                "open": {"executor": "constant-arrival-rate", "duration": "9s"},
                "closed": {"executor": "constant-vus", "duration": "9s"},
                "ramp": {"executor": "ramping-vus", "stages": [{"duration": "9s"}]},
            }
        }
    )
    assert [(one.name, one.waiting, one.restless) for one in found] == [
        ("open", False, False),
        ("closed", True, True),
        ("ramp", True, False),
    ]
    assert [(one.name, one.restless) for one in k6.scenarios({"vus": 1})] == [("default", True)]
    assert [(one.name, one.restless) for one in k6.scenarios({"stages": [{"duration": "9s"}]})] == [("default", False)]
