"""How long a script of Artillery lasts and which engines it uses, as far as it says so itself."""

import pytest

from resilience.load.drivers import artillery


@pytest.mark.parametrize(
    ("phases", "lasts_s"),
    [
        ([{"duration": 60}], 60.0),
        ([{"duration": "2m"}, {"pause": 5}, {"duration": "500ms"}], 125.5),
        ([{"duration": "{{ $env.LONG }}"}], None),
        ([], None),
        (None, None),
        ([{"arrivalCount": 5}], None),
    ],
)
def test_how_long_virtual_users_of_artillery_arrive(phases, lasts_s):
    """The sum of the phases; a template is not known before it is filled in."""
    assert artillery.lasts({"config": {"phases": phases}}) == lasts_s


def test_the_engines_of_a_script():
    """Each once; http unless it says otherwise."""
    script = {"config": {"engine": "ws"}, "scenarios": [{}, {"engine": "http"}, {"engine": "http"}, None]}
    assert artillery.engines(script) == ["ws", "http"]
    assert artillery.engines({"scenarios": [{}]}) == ["http"]
