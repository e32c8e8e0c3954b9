"""How the generator fares: what readings are noted as, each worked out by hand."""

import pytest

from resilience.load.health import KEPT, Health, Reading


def readings(cpu, *, late=None, wall=None, asleep=None, step_s=0.25):
    """Looks every quarter of a second, from a second on; of each slice the share of a core that was used."""
    total, found = 0.0, [Reading(1.0, 0.0, 0.0, 1e9, 7.0)]
    for number, share in enumerate(cpu, 1):
        total += share * step_s
        found.append(
            Reading(
                1.0 + number * step_s,
                (late or {}).get(number, 0.0),
                total,
                (wall or {}).get(number, 1e9),
                7.0 + (asleep or {}).get(number, 0.0),
            )
        )
    return found


def account(*given, **more):
    first, *rest = readings(*given, **more)
    health = Health(first)
    for reading in rest:
        health.look(reading)
    return health.account()


def test_a_look_tells_the_share_of_a_core_since_the_last():
    """Half a core in the first quarter of a second, all of it in the second, more than one with threads."""
    first, *rest = readings([0.5, 1.0, 1.3])
    health = Health(first)
    assert [health.look(reading) for reading in rest] == [pytest.approx(0.5), pytest.approx(1.0), pytest.approx(1.3)]


def test_sustained_is_two_seconds():
    """Seven busy slices among idle ones are 1.75 s and nothing; twelve are a stretch; one pause does not hide it."""
    assert account([0.1] * 8 + [1.0] * 6 + [0.1] * 8)["busy"] == []
    (stretch,) = account([0.1] * 8 + [1.0] * 12 + [0.1] * 8)["busy"]
    assert stretch == [pytest.approx(2.75), pytest.approx(6.25), pytest.approx(1.0)]
    (stretch,) = account([0.1] * 8 + [1.0] * 6 + [0.2] + [1.0] * 6 + [0.1] * 8)["busy"]
    assert stretch[2] == pytest.approx(0.9)
    assert account([0.84] * 40)["busy"] == []
    two = account(([1.0] * 12 + [0.1] * 20) * 2)["busy"]
    assert len(two) == 2


def test_the_largest_share_is_over_two_seconds():
    """A single busy slice says little; of a run shorter than that its mean is told."""
    found = account([0.2] * 10 + [1.0] + [0.2] * 10)
    assert found["cpu_share_max"] == pytest.approx(0.3)
    assert found["cpu_share"] == pytest.approx(0.2 + 0.8 / 21)
    assert account([0.5] * 3)["cpu_share_max"] == pytest.approx(0.5)


def test_stalls_are_told_the_longest_first():
    """From when the look was due until it came; a tenth of a second is none."""
    found = account([0.1] * 10, late={3: 0.1, 5: 0.3, 8: 1.5})
    assert found["stalls"] == [
        [pytest.approx(1.0 + 8 * 0.25 - 1.5), 1.5],
        [pytest.approx(1.0 + 5 * 0.25 - 0.3), 0.3],
    ]
    assert found["stalled_s"] == pytest.approx(1.8)
    many = account([0.1] * 100, late=dict.fromkeys(range(1, 101), 0.2))
    assert len(many["stalls"]) == KEPT
    assert many["stalled_s"] == pytest.approx(20)


def test_a_step_of_the_wall_clock_is_told_and_slewing_is_not():
    """Two seconds back at one look, kept from then on; 5 ms a look are slewing, and add up in what it moved."""
    back = dict.fromkeys(range(4, 11), 1e9 - 2)
    found = account([0.1] * 10, wall=back)
    assert found["clock_steps"] == [[pytest.approx(2.0), pytest.approx(-2.0)]]
    assert found["clock_moved_s"] == pytest.approx(-2.0)
    slewed = account([0.1] * 10, wall={number: 1e9 + 0.005 * number for number in range(1, 11)})
    assert (slewed["clock_steps"], slewed["clock_moved_s"]) == ([], pytest.approx(0.05))


def test_clocks_that_could_not_be_read_together_are_no_step():
    """The next good reading is compared with the last good one."""
    assert account([0.1] * 4, wall={2: None, 3: None})["clock_steps"] == []
    assert account([0.1] * 4, wall={2: None, 3: 1e9 + 1, 4: 1e9 + 1})["clock_steps"] == [[1.75, pytest.approx(1.0)]]


def test_sleep_of_the_machine_is_told():
    """By how much more the clock of the boot went than the monotonic one."""
    assert account([0.1] * 4, asleep={3: 60.0, 4: 60.0})["asleep_s"] == pytest.approx(60.0)
    assert account([0.1] * 4)["asleep_s"] == 0.0
