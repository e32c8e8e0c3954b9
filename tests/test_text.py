"""How figures and foreign texts are shown."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import text


@given(st.text())
def test_printable_hides_nothing_and_commands_nothing(given_text):
    """No control, formatting or line-breaking character survives; what is visible is untouched."""
    shown = text.printable(given_text)
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert text.printable(shown) == shown
    assert len(text.printable(given_text, 10)) <= 10


@pytest.mark.parametrize(("raw", "shown"), [("\x1b[2J", "\\x1b[2J"), ("\u202eabc", "\\u202eabc"), ("ünï ✓", "ünï ✓")])
def test_printable_examples(raw, shown):
    """Escapes are readable, ordinary letters of any language stay."""
    assert text.printable(raw) == shown


@given(st.floats(min_value=0, max_value=1))
def test_percent_never_claims_nothing_or_all(share):
    """A share is shown as 0 % only if it is zero, and as 100 % only if it is whole."""
    assert (text.percent(share) == "0 %") == (share == 0)
    assert (text.percent(share) == "100 %") == (share == 1)


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_milliseconds_are_within_a_per_cent(value):
    """Rounding for reading changes a figure by at most 1 %, below a microsecond by more, never to zero."""
    number, unit = text.milliseconds(value).split()
    assert float(number) > 0
    assert float(number) * {"ms": 1, "s": 1000}[unit] == pytest.approx(value, rel=0.01 if value >= 0.1 else 0.5)


@pytest.mark.parametrize(
    ("function", "value", "shown"),
    [
        (text.seconds, 0.0, "0 s"),
        (text.seconds, 8.251, "8.25 s"),
        (text.seconds, 320.0, "5 min 20 s"),
        (text.seconds, 300.0, "5 min"),
        (text.instant, 27.0, "27.00 s"),
        (text.instant, 19.049, "19.05 s"),
        (text.count, 1234567, "1,234,567"),
        (text.rate, 249.84, "249.8"),
        (text.rate, 12345.6, "12,346"),
        (text.clock, 83.9, "01:23"),
        (text.clock, 3723.0, "1:02:03"),
        (text.clock, math.nan, "00:00"),
        (text.percent, 0.125, "12.5 %"),
        (text.percent, 0.99996, ">99.99 %"),
    ],
)
def test_examples(function, value, shown):
    """Figures as people write them."""
    assert function(value) == shown


@pytest.mark.parametrize(
    "function", [text.milliseconds, text.seconds, text.instant, text.percent, text.count, text.rate]
)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_does_not_exist_is_a_dash(function, value):
    """A figure that does not exist is never shown as a number."""
    assert function(value) == text.ABSENT
