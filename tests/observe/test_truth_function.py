"""The truth about writes from a user's function, in a process of its own. Requirement J4."""

import time
from pathlib import Path

import pytest

from resilience.errors import RecordError
from resilience.model import FunctionTruth, Place
from resilience.observe.asked import rows_of
from resilience.observe.truth import read_settled
from resilience.observe.truth_function import FunctionReader

RUN = "0badcafe"

MODULE = """
import os, sys, time

def entries(prefix, place, count=3):
    from resilience.entry import body_of, format_id
    print("what it prints is nobody's truth")
    for seq in range(count):
        entry_id = format_id(prefix[:-1], 1, 0, seq)
        yield entry_id, body_of(entry_id), seq
    yield "ffffffff-000-000-000000", "another run's", 0
    yield [prefix + "odd", None, 99]

def told(prefix, place, **arguments):
    return [(prefix + str(sorted(place.items())) + str(arguments), "", 0)]

def raises(prefix, place):
    yield prefix, "", 0
    raise KeyError("nothing there")

def hangs(prefix, place):
    open(os.environ["PIDS"], "w").write(str(os.getpid()))
    yield prefix, "", 0
    time.sleep(600)

def forks(prefix, place):
    child = os.fork()
    if child == 0:
        time.sleep(600)
    open(os.environ["PIDS"], "w").write(str(child))
    return []

def exits(prefix, place):
    yield prefix, "", 0
    sys.stdout.flush()
    os._exit(0)

def dies(prefix, place):
    print("this went wrong", file=sys.stderr, flush=True)
    os.kill(os.getpid(), 9)

def endless(prefix, place):
    open(os.environ["PIDS"], "w").write(str(os.getpid()))
    while True:
        yield prefix, "", 0

wrong = 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a module in it, beside the file's folder."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "shop_truth.py").write_text(MODULE)
    (tmp_path / "experiments").mkdir()
    return tmp_path / "experiments"


def reader(folder, name, timeout_s=30.0, place=None, module="shop_truth", **arguments):
    source = FunctionTruth(module=module, name=name, arguments=arguments, timeout_s=timeout_s)
    return FunctionReader(source, place, str(folder))


def rows(folder, name, **more):
    return list(reader(folder, name, **more).read(f"{RUN}-"))


def test_what_it_yields_is_the_truth(folder):
    """All rows, many or none, of this run alone; what the function prints is none of them."""
    for count in (0, 2000):
        truth = read_settled(reader(folder, "entries", count=count), RUN, 0.0, lambda: 7)
        assert sorted(truth.seq.tolist()) == [-1, *range(count)]
        assert truth.intact.tolist().count(False) == 1
        assert truth.foreign == (f"{RUN}-odd",)
        assert truth.facts == {"store": "function", "function": "shop_truth.entries"}


def test_it_is_told_where_the_part_is_itself(folder):
    """Addresses of the part, not of the proxy before it; arguments as in the file."""
    place = Place(name="redis", host="127.0.0.1", port=7, via_port=8, passfile="/p", url="", dsn="")
    ((found, _, _),) = rows(folder, "told", place=place, table="x")
    assert "('port', 7)" in found
    assert "via_port" not in found
    assert "{'table': 'x'}" in found


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("raises", {}, "KeyError: 'nothing there'"),
        ("nothing", {}, "has no attribute 'nothing'"),
        ("wrong", {}, "not callable"),
        ("told", {"timeout_s": 5.0}, "AttributeError"),
        ("exits", {}, "without saying that they are all"),
        ("dies", {}, "ended with code -9 and said this went wrong"),
    ],
)
def test_whatever_goes_wrong_is_an_error(folder, name, arguments, message):
    """Never an empty or a short truth: what happened is said, with the function's name."""
    with pytest.raises(RecordError) as caught:
        rows(folder, name, **arguments)
    assert message in str(caught.value)
    assert f"shop_truth.{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "returned None; rows were expected"),
        ("text", "returned 'text'"),
        ({"a": 1}, "returned {'a': 1}"),
        ([("a", "b")], "yielded ('a', 'b')"),
        ([("a", "b", "c")], "yielded ('a', 'b', 'c')"),
        ([("a", "b", True)], "yielded ('a', 'b', True)"),
        ([("a", 5, 1)], "yielded ('a', 5, 1)"),
        ([(None, "b", 1)], "yielded (None, 'b', 1)"),
        ([("a", "b", 2**63)], "yielded ('a', 'b', 9223372036854775808)"),
    ],
)
def test_what_is_no_row_is_said(found, message):
    """What was found and what was expected."""
    with pytest.raises(TypeError) as caught:
        list(rows_of(found))
    assert message in str(caught.value)
    assert list(rows_of([("a", None, -1), ["b", "x", 2**63 - 1]])) == [("a", "", -1), ("b", "x", 2**63 - 1)]


def test_a_module_that_is_not_there_is_an_error(folder):
    """It is said."""
    with pytest.raises(RecordError, match="No module named 'shop_lies'"):
        rows(folder, "entries", module="shop_lies")


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def test_a_function_that_hangs_is_ended(folder, tmp_path, monkeypatch):
    """It takes no longer than it may, and its process is gone."""
    monkeypatch.setenv("PIDS", str(tmp_path / "pid"))
    began = time.monotonic()
    with pytest.raises(RecordError, match="did not end within 3 s; it was killed"):
        rows(folder, "hangs", timeout_s=3.0)
    assert time.monotonic() - began < 10
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_it_started_ends_with_it(folder, tmp_path, monkeypatch):
    """A child that it left behind is gone, too."""
    monkeypatch.setenv("PIDS", str(tmp_path / "pid"))
    assert rows(folder, "forks", timeout_s=5.0) == []
    assert gone(int((tmp_path / "pid").read_text()))


def test_whoever_stops_reading_ends_it(folder, tmp_path, monkeypatch):
    """A reader that is given up leaves no process."""
    monkeypatch.setenv("PIDS", str(tmp_path / "pid"))
    found = reader(folder, "endless").read(f"{RUN}-")
    assert next(found) == (f"{RUN}-", "", 0)
    found.close()
    assert gone(int((tmp_path / "pid").read_text()))
