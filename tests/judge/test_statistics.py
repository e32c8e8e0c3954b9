"""Small statistics against known values and slow, obvious sums."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.statistics import (
    binomial_quantile,
    binomial_tail,
    cox_bounds,
    fisher_more,
    proven_share,
    student,
    student_95,
    wilson_lower,
)


@given(st.integers(0, 60), st.floats(0.01, 0.99), st.floats(0.0005, 0.9995))
def test_binomial_quantile_is_the_smallest_k_that_reaches_p(n, q, p):
    """Equal to the definition, summed term by term with exact binomial coefficients."""
    found = binomial_quantile(p, n, q)

    def below(k):
        return math.fsum(math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1))

    assert 0 <= found <= n
    assert below(found) >= p - 1e-9
    assert found == 0 or below(found - 1) < p + 1e-9


@pytest.mark.parametrize(
    ("p", "n", "q", "known"),
    [
        (0.5, 10, 0.5, 5),
        (0.001, 50, 0.999, 48),
        (0.975, 100, 0.5, 60),
        (0.001, 0, 0.5, 0),
        (0.5, 7, 0.0, 0),
        (0.5, 7, 1.0, 7),
    ],
)
def test_binomial_quantile_has_known_values(p, n, q, known):
    """Values from published tables, and the edges."""
    assert binomial_quantile(p, n, q) == known


def test_binomial_quantile_does_not_underflow():
    """A million trials near certainty: the quantile lies three standard deviations below the mean."""
    n, q = 1_000_000, 0.999
    assert binomial_quantile(0.001, n, q) == pytest.approx(n * q - 3.09 * math.sqrt(n * q * (1 - q)), abs=5)


def test_wilson_has_known_values():
    """10 of 10 is at least 72.2 %, 81 of 263 at least 25.5 % (Newcombe 1998), nothing of nothing is 0."""
    assert wilson_lower(10, 10) == pytest.approx(0.7225, abs=1e-4)
    assert wilson_lower(81, 263) == pytest.approx(0.2553, abs=1e-4)
    assert wilson_lower(0, 0) == 0.0
    assert wilson_lower(0, 10) == 0.0


def test_student_has_known_values():
    """Table values, and the expansion beyond them."""
    assert student_95(1) == pytest.approx(6.3138)
    assert student_95(30) == pytest.approx(1.6973)
    assert student_95(60) == pytest.approx(1.6706, abs=1e-4)
    assert student_95(31) < student_95(30)


def test_cox_bounds_hold_the_mean_and_narrow_with_n():
    """Worked by hand for three values; equal values have no spread; no overflow for wild ones."""
    low, high = cox_bounds([1.0, math.e, math.e**2])
    assert high == pytest.approx(math.exp(1 + 0.5 + 2.92 * math.sqrt(1 / 3 + 1 / 4)), rel=1e-4)
    assert low == pytest.approx(math.exp(1 + 0.5 - 2.92 * math.sqrt(1 / 3 + 1 / 4)), rel=1e-4)
    assert cox_bounds([2.0, 2.0, 2.0]) == pytest.approx((2.0, 2.0))
    assert math.isfinite(cox_bounds([1e-9, 1e-9, 1e9])[1])


@pytest.mark.parametrize(("n", "share"), [(3, 0.37), (5, 0.55), (10, 0.74), (30, 0.90), (59, 0.95)])
def test_what_n_cycles_prove(n, share):
    """The shares of the design brief."""
    assert proven_share(n) == pytest.approx(share, abs=0.006)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.01, 0.99))
def test_binomial_tail_is_the_sum_of_what_is_beyond(k, n, q):
    """Equal to the definition, with exact binomial coefficients; certain from 0, impossible beyond n."""
    known = math.fsum(math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k, n + 1))
    assert binomial_tail(k, n, q) == pytest.approx(known, abs=1e-9)
    assert (binomial_tail(0, 0, q), binomial_tail(1, 0, q)) == (1.0, 0.0)
    assert (binomial_tail(1, 5, 0.0), binomial_tail(5, 5, 1.0)) == (0.0, 1.0)


@given(st.integers(1, 25), st.integers(1, 25), st.data())
def test_fisher_counts_the_ways(n, other_n, data):
    """Equal to counting: of all ways to choose the hits, how many put at least so many into the one group."""
    hits, other_hits = data.draw(st.integers(0, n)), data.draw(st.integers(0, other_n))
    total = hits + other_hits
    ways = sum(math.comb(n, k) * math.comb(other_n, total - k) for k in range(hits, min(n, total) + 1))
    assert fisher_more(hits, n, other_hits, other_n) == pytest.approx(ways / math.comb(n + other_n, total), rel=1e-6)


def test_fisher_has_known_values():
    """The lady tasting tea: all four cups right, 1 of 70; three or more, 17 of 70. An empty group says nothing."""
    assert fisher_more(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert fisher_more(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher_more(3, 3, 0, 0) == 1.0
    assert fisher_more(0, 0, 3, 3) == 1.0


@pytest.mark.parametrize(
    ("p", "freedom", "table"),
    [
        *((0.95, 8, 1.8595), (0.99, 8, 2.8965), (0.999, 8, 4.5008), (0.99, 11, 2.7181), (0.999, 11, 4.0247)),
        *((0.9995, 10, 4.5869), (0.9999, 11, 5.4527), (0.99, 46, 2.4102), (0.975, 120, 1.9799), (0.05, 20, -1.7247)),
    ],
)
def test_student_s_quantile_of_any_probability(p: float, freedom: int, table: float):
    """Within 0.1 % of printed tables; where the expansion is not good enough it says so."""
    assert student(p, freedom) == pytest.approx(table, rel=1e-3)
    with pytest.raises(ValueError, match="at least 8"):
        student(p, 7)
