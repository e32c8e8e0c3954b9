"""Which values of a load are secret, and what is left of a detail that has one. Requirement L4."""

import pytest

from resilience.load.secrets import concealed, fit_for_header, secret_names, secret_places
from resilience.model import DataField, Expect, Feeder, Journey, JourneyStep, Load, Operation, Token

SECRET = "s3cr3t-of-somebody-" + "x" * 100


def test_what_is_sent_in_headers_or_called_so_is_secret():
    """Captured values in headers, whatever they are called; tokens; fields and columns by their names."""
    load = Load(
        rate=1,
        operations=(Operation(name="a", weight=0, path="/", headers={"X": "a ${captured.badge} ${key} ${data.city}"}),),
        data=(DataField(name="city", kind="name"), DataField(name="password", kind="text")),
        feeder=Feeder(file="x.csv", columns=("user", "apiKey")),
        journeys=(
            Journey(
                name="j",
                weight=1,
                steps=(
                    JourneyStep(operation="a", capture={"badge": "json:b", "item": "json:i", "session_id": "json:s"}),
                ),
            ),
        ),
        tokens=(Token(name="x", env="X"),),
    )
    assert secret_names(load) == {"captured.badge", "captured.session_id", "token.x", "data.password", "data.apiKey"}


def test_places_in_answers_that_are_secret():
    """What is captured as a secret wherever its operation is a step, tokens, and checked members called so."""
    steps = (JourneyStep(operation="a", capture={"badge": "json:b", "item": "json:i"}), JourneyStep(operation="b"))
    load = Load(
        rate=1,
        operations=(
            Operation(name="a", weight=0, path="/"),
            Operation(name="b", weight=0, path="/", headers={"X": "${captured.badge}"}),
            Operation(name="c", weight=1, path="/", expect=Expect(json={"user.accessToken": "x", "id": "y"})),
        ),
        journeys=(Journey(name="j", weight=1, steps=steps),),
        tokens=(Token(name="t", operation="b", take="header:X-T"),),
    )
    assert secret_places(load) == (("json:b",), ("header:X-T",), ("json:user.accessToken",))


@pytest.mark.parametrize(
    ("detail", "left"),
    [
        ("status 500", "status 500"),
        (f"unexpected answer: x is '{SECRET}', expected 'y'", "unexpected answer: x is '[secret]', expected 'y'"),
        (f"unexpected answer: x is '{SECRET[:80]}', expected 'y'", "unexpected answer: [secret]"),
        (f"unexpected answer: {SECRET[:6]}", "unexpected answer: [secret]"),
    ],
)
def test_details_lose_secrets_and_their_beginnings(detail, left):
    """Where a detail was cut, so may the secret be; then nothing is left but its kind."""
    assert concealed(detail, [SECRET, ""]) == left


def test_what_fits_in_a_header():
    """Printable ASCII, and something of it."""
    assert [fit_for_header(text) for text in ("a b", "", "a\r\nb", "é", "\x7f")] == [True, False, False, False, False]
