"""Every place has a title and says what helps; names of parts say what they are."""

import pytest

from resilience.judge.bottlenecks.places import ADVICE, TITLES, Place, place_of


def test_every_place_has_a_title_and_advice():
    """Requirement M5: a recommendation for each."""
    assert set(TITLES) == set(ADVICE) == set(Place)
    assert all(ADVICE[place].endswith(".") for place in Place)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("postgres", Place.DATABASE),
        ("postgres-replica", Place.DATABASE),
        ("orders-db", Place.DATABASE),
        ("Redis", Place.CACHE),
        ("session-cache", Place.CACHE),
        ("provider", Place.PROVIDER),
        ("llm-gateway", Place.PROVIDER),
        ("service", None),
        ("worker-2", None),
    ],
)
def test_a_name_says_what_a_part_is_or_nothing(name, place):
    """What it does not say is not guessed."""
    assert place_of(name) is place
