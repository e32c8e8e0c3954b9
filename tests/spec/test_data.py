"""Generated data: a record is a function of (seed, field, number) alone, and is what was asked for. Requirement L4."""

import os
import re
import subprocess
import sys
import tracemalloc
import uuid
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import DataField
from resilience.spec.data import KINDS, TYPED, values_of

MILLIONTH = 999_999
OF = {"free": 8.0, "paid": 2.0}


def field(kind, **more):
    return DataField(name="it", kind=kind, **({"of": OF} if kind == "choice" else {}), **more)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32), indices=st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_a_record_is_the_same_whoever_asks_in_whatever_order(kind, seed, indices):
    """Requirement L4: two makers of the same field agree on every record, asked forwards and backwards."""
    once, again = values_of(field(kind), seed), values_of(field(kind), seed)
    forward = {index: once(index) for index in indices}
    assert {index: again(index) for index in reversed(indices)} == forward


def test_the_millionth_record_is_the_same_in_another_process():
    """Requirement L4: also where texts are hashed otherwise, and whatever was asked before."""
    code = (
        "from resilience.model import DataField; from resilience.spec.data import KINDS, values_of\n"
        f"print([values_of(DataField(name='it', kind=k, of={OF}), 7)({MILLIONTH}) for k in KINDS])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    makers = [values_of(field(kind), 7) for kind in KINDS]
    for maker in makers:
        [maker(index) for index in range(100)]
    assert there.stdout.strip() == repr([maker(MILLIONTH) for maker in makers])


def test_what_a_record_holds_does_not_change_between_versions():
    """A run with the same seed sends the same data next year: these were written down when the code was."""
    assert values_of(field("email"), 1)(MILLIONTH) == "mehmet.haddad.999999@example.com"
    assert values_of(field("number"), 1)(MILLIONTH) == "584823"
    assert values_of(field("uuid"), 1)(MILLIONTH) == "95b6f930-0672-4170-8710-250be9d5c47e"
    assert values_of(field("text"), 1)(MILLIONTH) == "great ever like press here brought first cover along br"


def test_many_records_leave_nothing_in_memory():
    """Requirement L4: bounded memory: every kind asked 3000 times keeps less than 50 kB."""
    makers = [values_of(field(kind), 7) for kind in KINDS]
    for maker in makers:
        maker(0)
    tracemalloc.start()
    for index in range(3000):
        for maker in makers:
            maker(index * 333)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 50_000


def test_seeds_and_fields_are_independent():
    """Another seed, or another field of the same kind, has other records."""
    one = values_of(DataField(name="one", kind="number"), 1)
    for other in (
        values_of(DataField(name="one", kind="number"), 2),
        values_of(DataField(name="two", kind="number"), 1),
    ):
        same = sum(one(index) == other(index) for index in range(1000))
        assert same < 10


def test_no_two_records_have_the_same_address_and_none_is_anybodys():
    """E-mail addresses are unique, and end where no mail arrives (RFC 2606)."""
    email = values_of(field("email"), 7)
    found = {email(index) for index in range(20_000)}
    assert len(found) == 20_000
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\.\d+@example\.com", one) for one in found)


@pytest.mark.parametrize(("least", "most"), [(0, 0), (-5, 5), (1, 6), (None, None), (10**14, 10**15)])
def test_numbers_are_in_their_range_and_even(least, most):
    """Both ends included; of few numbers each comes about as often as any other."""
    number = values_of(field("number", least=least, most=most), 7)
    found = Counter(int(number(index)) for index in range(6000))
    low, high = (0 if least is None else least), (999_999 if most is None else most)
    assert min(found) >= low
    assert max(found) <= high
    if high - low < 20:
        assert set(found) == set(range(low, high + 1))
        assert max(found.values()) < 1.3 * min(found.values())


def test_decimals_have_their_places():
    """From 9.5 to 10 with one place there are six, and each comes."""
    decimal = values_of(field("decimal", least=9.5, most=10, places=1), 7)
    assert {decimal(index) for index in range(500)} == {"9.5", "9.6", "9.7", "9.8", "9.9", "10.0"}


@pytest.mark.parametrize(("least", "most"), [(0, 0), (1, 1), (7, 7), (20, 80), (3000, 3010)])
def test_texts_have_the_length_asked_for(least, most):
    """In characters, both ends included, also beyond one block of words, and without a blank at the end."""
    text = values_of(field("text", least=least, most=most), 7)
    found = [text(index) for index in range(300)]
    assert all(least <= len(one) <= most for one in found)
    assert {len(one) for one in found} >= {least, most} if most - least <= 10 else True
    assert not any(one.endswith(" ") for one in found)


def test_choices_have_the_shares_of_their_weights():
    """8 to 2 within two percentage points."""
    choice = values_of(field("choice"), 7)
    found = Counter(choice(index) for index in range(10_000))
    assert found["free"] / 10_000 == pytest.approx(0.8, abs=0.02)
    assert set(found) == set(OF)


def test_other_kinds_are_what_they_are_called():
    """UUIDs of version 4, instants in their range, truth values, names of two words, telephone numbers for fiction."""
    made = {kind: [values_of(field(kind), 7)(index) for index in range(200)] for kind in KINDS}
    assert all(uuid.UUID(one).version == 4 for one in made["uuid"])
    assert all("2020-01-01" <= one < "2026-01-02" and datetime.fromisoformat(one) for one in made["timestamp"])
    assert set(made["boolean"]) == {"true", "false"}
    assert all(len(one.split()) == 2 for one in made["name"])
    assert all(re.fullmatch(r"\+1[2-9]\d\d55501\d\d", one) for one in made["phone"])
    assert len(set(made["uuid"])) == 200
    assert set(KINDS) > TYPED


def test_timestamps_keep_to_what_was_asked_for():
    """Both ends can come; a zone is understood, and what is sent is UTC."""
    stamp = values_of(field("timestamp", earliest="2024-05-01T02:00:00+02:00", latest="2024-05-01T00:00:01"), 7)
    assert {stamp(index) for index in range(100)} == {"2024-05-01T00:00:00Z", "2024-05-01T00:00:01Z"}
