from resilience.model import Service, StackSpec
from resilience.stack.wanted import Wanted

SPEC = StackSpec(service=Service(command=("shop",)), postgres_disk_mb=64, postgres_replica=True)


def wanted(folder, *wired, bugs="", spec=SPEC):
    """What an experiment in that folder asks for."""
    return Wanted.of(spec, bugs, folder, wired)


def test_what_is_asked_for_is_what_was_recorded(tmp_path):
    """The same again differs in nothing; parts that no protocol proxy knows are left out."""
    record = wanted(tmp_path, "redis", "service").as_json()
    assert record["wired"] == ["redis"]
    assert wanted(tmp_path, "redis").differences(record) == []
    assert wanted(tmp_path).differences(record) == []


def test_every_difference_is_said(tmp_path):
    """Service, bugs, folder, disk, replica, and each protocol proxy that is lacking."""
    record = wanted(tmp_path).as_json()
    other = wanted(tmp_path / "elsewhere", "postgres", "redis", bugs="B01", spec=StackSpec())
    found = other.differences(record)
    assert [text.partition(" is ")[0] for text in found[:5]] == [
        "its service",
        "its TARGET_BUGS",
        "its project folder",
        "its stack.postgres_disk_mb",
        "its stack.postgres_replica",
    ]
    assert [text.split(",")[0] for text in found[5:]] == [
        "it has no protocol proxy before postgres",
        "it has no protocol proxy before redis",
    ]


def test_a_stack_from_before_these_keys_has_neither(tmp_path):
    """It was written down without them: no protocol proxy, no small disk, no replica."""
    record = wanted(tmp_path, spec=StackSpec()).as_json()
    del record["wired"], record["postgres_disk_mb"], record["postgres_replica"]
    assert wanted(tmp_path, spec=StackSpec()).differences(record) == []
    assert len(wanted(tmp_path, "redis").differences(record)) == 4
