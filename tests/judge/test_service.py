"""The service level of a run: its share of a month's budget, and alerts replayed, worked out by hand."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.service import service_level
from resilience.model import ServiceLevel
from tests.judge.builder import Scene, Spell


def level(*spells, **said):
    """Of a scene with evenly spaced arrivals, the fault from 19 to 27 s."""
    record = Scene(poisson=False, spells=spells).record()
    experiment = replace(record.experiment, service_level=ServiceLevel(**said))
    return service_level(prepare(replace(record, experiment=experiment)))


def test_an_incident_is_a_share_of_a_months_budget():
    """Requirement J5: 8 s without answers are 8 / 2,592 of 30 days at 99.9 %, and the burn of the run is its share."""
    found = level(Spell(19, 27, "failed"))
    (incident,) = found["incidents"]
    assert (incident["fault"], incident["bad"]) == ("redis-down", 2000)
    assert incident["budget_used"] == pytest.approx(8 / 2592, rel=1e-3)
    assert found["budget_used"] == pytest.approx(8 / 2592, rel=1e-3)
    assert found["availability"] == pytest.approx(1 - 8 / 38)  # from the baseline's beginning; the warm-up is not in it
    assert found["burn_rate"] == pytest.approx(8 / 38 / 0.001)
    assert [phase["budget_used"] for phase in found["phases"]] == [0.0, pytest.approx(8 / 2592, rel=0.01), 0.0]
    assert level(Spell(19, 27, "failed"), availability=99.0)["budget_used"] == pytest.approx(8 / 25920, rel=1e-3)


def test_alerts_are_replayed_after_a_quiet_month():
    """Requirement J5: at 99.9 % an outage burns 14.4 times over an hour after 51.84 s, 6 times over 6 h after 129.6 s.

    Scaled by 60 that is 0.864 s and 2.16 s; by then the short windows are long full of errors. A failure counts when it
    ends, 1 ms after it was due. The ticket (1 times over 3 days) needs 259.2 s, scaled 4.32 s.
    """
    found = level(Spell(19, 27, "failed"), alert_scale=60)["alerts"]
    assert [(alert["severity"], alert["burn_rate"]) for alert in found] == [("page", 14.4), ("page", 6), ("ticket", 1)]
    for alert, after_s in zip(found, (0.864, 2.16, 4.32), strict=True):
        assert alert["fired_s"] == pytest.approx(19 + after_s, abs=alert["resolution_s"] + 0.01)
    # The short window of the first is 5 s: it is below 14.4 times 0.1 % once less than 72 ms of the outage are in it.
    assert found[0]["quiet_s"] == pytest.approx(27 + 5 - 0.072, abs=found[0]["resolution_s"] + 0.01)


def test_alerts_as_in_production_and_alerts_that_stay_quiet():
    """An outage of 8 s does not page anybody; without a scale nothing is replayed; without errors nothing goes off."""
    assert [alert["fired_s"] for alert in level(Spell(19, 27, "failed"), alert_scale=1)["alerts"]] == [None] * 3
    assert level(Spell(19, 27, "failed"))["alerts"] == []
    assert [alert["fired_s"] for alert in level(alert_scale=60)["alerts"]] == [None] * 3


def test_an_alert_that_never_goes_quiet_says_so():
    """Errors until the end: it went off, and was still on."""
    first = level(Spell(19, 42, "failed"), alert_scale=60)["alerts"][0]
    assert first["fired_s"] is not None
    assert first["quiet_s"] is None


def test_without_a_baseline_no_budget_can_be_told(silent_baseline):
    """The usual rate is not known: null, not 0."""
    found = service_level(silent_baseline.case())
    assert (found["usual_rps"], found["budget_used"], found["alerts"]) == (None, None, [])
    assert found["availability"] == 1.0
