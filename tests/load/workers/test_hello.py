"""Only who knows the token is believed, and only for this exchange and this side. Requirement L5."""

import pytest

from resilience.load.workers.hello import proof, proven, text


def test_a_proof_is_of_one_token_one_side_and_one_exchange():
    """Whatever is different, the proof is another."""
    ours, theirs = text(), text()
    told = proof("token", "worker", ours, theirs)
    assert proven(told, "token", "worker", ours, theirs)
    for other in (
        ("other", "worker", ours, theirs),
        ("token", "master", ours, theirs),
        ("token", "worker", text(), theirs),
        ("token", "worker", ours, text()),
        ("token", "worker", theirs, ours),
    ):
        assert not proven(told, *other)


@pytest.mark.parametrize("told", [None, 7, b"x", "", "ü", ["a"]])
def test_what_is_no_proof_is_no_proof(told):
    """Whatever a stranger says, nothing breaks."""
    assert not proven(told, "token", "worker", "a", "b")


def test_no_two_texts_are_the_same():
    """An exchange that was heard cannot be had again."""
    assert len({text() for _ in range(100)}) == 100
