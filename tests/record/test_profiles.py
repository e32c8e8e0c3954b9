"""Profiles on disk."""

from resilience.record.profiles import profile_name, read_profiles


def test_a_profile_reads_back(tmp_path):
    """Its part and phase from its name, its stacks with the most frequent first; other lines are passed over."""
    name = profile_name("service-1", "fault(redis-down)")
    (tmp_path / name).write_text("main (a.py:1);serve (a.py:2) 3\nmain (a.py:1) 40\n\nnothing here\n")
    (found,) = read_profiles(tmp_path)
    assert (found.of, found.phase, found.samples) == ("service-1", "fault(redis-down)", 43)
    assert found.stacks == ((("main (a.py:1)",), 40), (("main (a.py:1)", "serve (a.py:2)"), 3))


def test_without_profiles_there_are_none(tmp_path):
    """Nor is that an error."""
    assert read_profiles(tmp_path / "nowhere") == ()
