"""What counts as a symptom, and how times are put."""

import pytest

from resilience.judge.bottlenecks.evidence import find_evidence
from resilience.judge.bottlenecks.places import Place
from resilience.judge.bottlenecks.signs import Sign, View, weighed
from resilience.judge.bottlenecks.windows import find_course, find_windows
from resilience.model.resources import Resources
from tests.judge.bottlenecks.made import BASELINE, made, slow_case, step


@pytest.fixture(scope="module")
def view():
    """A window with a series that changes a second before it, and ones that change later and long before."""
    (window,) = find_windows(slow_case())
    series = (made("lead", "y", step(20, 1, 9)), made("late", "y", step(30, 1, 9)), made("with", "y", step(24, 1, 9)))
    return View(Resources(series), BASELINE, window, find_course(slow_case()))


def test_times_are_told_beside_when_service_suffered_and_no_closer_than_they_are_known(view):
    """Readings come once a second."""
    assert "from 20.0 s on, 4 s before service suffered" in view.since(view.get("lead", "y")).replace(
        "4.0", "4"
    ).replace("3.99", "4")
    assert "after service suffered" in view.since(view.get("late", "y"))
    assert "when service suffered (within" in view.since(view.get("with", "y"))


def test_more_was_under_way_by_as_much_as_answers_took_longer(view):
    """Little's law: 80 % of 250 a second, 0.6 s each, are 120 at once."""
    assert view.more_under_way == pytest.approx(120, rel=0.1)


def test_symptoms_count_half_where_something_explains_them(view):
    """A pool before a slow database, any call of a service without processor time; and nothing else."""
    seen = find_evidence(view.resources.get("lead", "y"), BASELINE, (24.0, 40.0), view.course)

    def sign(place, strength, symptom=False):
        return Sign(place, "y", strength, "", seen, symptom)

    pool, provider = sign(Place.POOL, 0.6, symptom=True), sign(Place.PROVIDER, 0.8, symptom=True)
    disk, weak, cpu = sign(Place.DISK, 0.9), sign(Place.DISK, 0.5), sign(Place.CPU, 1.0)
    assert [one.strength for one in weighed([pool, provider, disk])] == [0.3, 0.8, 0.9]
    assert [one.strength for one in weighed([pool, provider, weak])] == [0.6, 0.8, 0.5]
    assert [one.strength for one in weighed([pool, provider, cpu])] == [0.3, 0.4, 1.0]
