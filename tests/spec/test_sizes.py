"""Sizes mean what they say, with their unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.spec.sizes import format_size, parse_size


@pytest.mark.parametrize(("text", "size"), [("200MB", 200_000_000), ("1.5GB", 1_500_000_000), ("500kB", 500_000)])
def test_read(text: str, size: int):
    """Decimal units."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["200", 200, "200 MB", "200mb", "-1MB", "1MiB", "", "200MB\n"])
def test_refused(text: object):
    """Anything else is refused with what to write instead."""
    with pytest.raises(SpecError, match="200MB"):
        parse_size(text)


@given(st.integers(0, 10**15))
def test_written_and_read_again(size: int):
    """To the byte."""
    assert parse_size(format_size(size)) == size
