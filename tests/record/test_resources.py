"""What collectors read, written and read back; counters become rates, and damage is said."""

import subprocess
import sys

import numpy as np
import pytest

from resilience.errors import RecordError
from resilience.model.resources import NOTHING, Gap, Reading, Unit
from resilience.record.redact import Redactor
from resilience.record.resources import GAPS, MOST_ROWS, ResourcesWriter, read_resources

NS = 1_000_000_000


def gauge(value, name="process.threads", of="service", **more):
    return Reading(name, of, Unit.COUNT, value, **more)


def counter(value, name="process.cpu", of="service", **more):
    return Reading(name, of, Unit.CORES, value, counter=True, **more)


@pytest.fixture
def writer(tmp_path):
    return ResourcesWriter(tmp_path, Redactor(["correct-horse"]))


def read_back(writer, tmp_path, name, of="service"):
    writer.close()
    found = read_resources(tmp_path)
    assert found.problems == ()
    return found.get(name, of)


def test_a_gauge_reads_back_in_order_of_time(writer, tmp_path):
    """Values stand as read, whichever thread came first; the limit is the one that was last read."""
    writer.add("system", 2 * NS, [gauge(7.0, limit=10.0)])
    writer.add("system", 1 * NS, [gauge(5.0)])
    series = read_back(writer, tmp_path, "process.threads")
    assert (series.at_s.tolist(), series.value.tolist()) == ([1.0, 2.0], [5.0, 7.0])
    assert (series.unit, series.limit, series.collector) == (Unit.COUNT, 10.0, "system")
    assert not series.value.flags.writeable


def test_counters_become_rates(writer, tmp_path):
    """A rate is the mean over the stretch that ends where it stands."""
    for at, seconds in ((1, 10.0), (2, 10.5), (3, 10.5), (5, 12.5)):
        writer.add("system", at * NS, [counter(seconds)])
    series = read_back(writer, tmp_path, "process.cpu")
    assert (series.at_s.tolist(), series.value.tolist()) == ([2.0, 3.0, 5.0], [0.5, 0.0, 1.0])


def test_a_limit_that_changed_is_known_at_each_reading(writer, tmp_path):
    """A quota that held for a while is the limit of that while only; of a rate, of where it stands."""
    for at, limit in ((1, None), (2, 2.0), (3, 0.5), (4, 0.5), (5, 2.0)):
        writer.add("system", at * NS, [gauge(1.0, limit=limit), counter(float(at), limit=limit)])
    writer.add("system", 5 * NS, [gauge(1.0, "steady", limit=3.0)])
    writer.close()
    found = read_resources(tmp_path)
    assert found.get("process.threads", "service").limit == 2.0
    np.testing.assert_array_equal(found.get("process.threads", "service").limits, [np.nan, 2.0, 0.5, 0.5, 2.0])
    rate = found.get("process.cpu", "service")
    np.testing.assert_array_equal(rate.limits, [2.0, 0.5, 0.5, 2.0])
    np.testing.assert_array_equal(rate.between(2.5, 4.5).limits, [0.5, 0.5])
    assert (found.get("steady", "service").limit, found.get("steady", "service").limits) == (3.0, None)


def test_a_counter_that_goes_back_or_begins_anew_gives_no_rate(writer, tmp_path):
    """After a restart it counts from nothing: not a negative rate, and none where it overtook what it had been."""
    writer.add("system", 1 * NS, [counter(10.0)])
    writer.add("system", 2 * NS, [counter(1.0)])
    writer.add("system", 3 * NS, [counter(2.0)])
    writer.add("system", 4 * NS, [counter(9.0, anew=True)])
    writer.add("system", 5 * NS, [counter(9.5)])
    series = read_back(writer, tmp_path, "process.cpu")
    assert (series.at_s.tolist(), series.value.tolist()) == ([3.0, 5.0], [1.0, 0.5])


def test_what_was_counted_while_nothing_was_read_is_no_rate_of_the_first_reading_after(writer, tmp_path):
    """Eight seconds without a reading would all be told of the second that follows."""
    for at in (1, 2, 3, 11, 12):
        writer.add("system", at * NS, [counter(float(at))])
    assert read_back(writer, tmp_path, "process.cpu").at_s.tolist() == [2.0, 3.0, 12.0]


def test_a_single_reading_of_a_counter_is_no_rate(writer, tmp_path):
    """Nothing to compare it with."""
    writer.add("system", NS, [counter(3.0)])
    assert len(read_back(writer, tmp_path, "process.cpu")) == 0


def test_shares_are_made_of_two_rates(writer, tmp_path):
    """Hits beside misses; where nothing was asked for there is no share."""
    for at, hits, misses in ((1, 0, 0), (2, 9, 1), (3, 9, 1), (4, 10, 4)):
        writer.add(
            "redis", at * NS, [counter(float(hits), "redis.hits", "r"), counter(float(misses), "redis.misses", "r")]
        )
    series = read_back(writer, tmp_path, "redis.hit_ratio", "r")
    assert (series.at_s.tolist(), series.value.tolist()) == ([2.0, 4.0], [0.9, 0.25])
    assert (series.unit, series.limit) == (Unit.RATIO, 1.0)


def test_what_is_no_number_is_left_out(writer, tmp_path):
    """A reading that is not finite is none."""
    writer.add("system", NS, [gauge(float("nan")), gauge(float("inf"), of="redis"), gauge(1.0, of="host")])
    writer.close()
    assert [series.of for series in read_resources(tmp_path).series] == ["host"]


def test_get_named_and_between(writer, tmp_path):
    """A series is found by name and thing; all of a name; the readings of a half-open stretch."""
    for at in (1, 2, 3):
        writer.add("system", at * NS, [gauge(at), gauge(at * 10.0, of="redis")])
    writer.close()
    found = read_resources(tmp_path)
    assert [series.of for series in found.named("process.threads")] == ["redis", "service"]
    assert found.get("process.threads", "nobody") is None
    assert found.get("process.threads", "service").between(1.0, 3.0).value.tolist() == [1.0, 2.0]
    assert np.shares_memory(found.series[0].at_s, found.series[1].at_s)


def test_gaps_read_back(writer, tmp_path):
    """From when to when, and why; without secrets. One that never ended lasts until the last reading."""
    writer.add("system", 9 * NS, [gauge(1.0)])
    writer.begin_gap("postgres", "postgres", 2 * NS, "refused: user:correct-horse@host")
    writer.end_gap("postgres", "postgres", 4 * NS)
    writer.begin_gap("redis", "redis", 5 * NS, "timeout")
    writer.close()
    found = read_resources(tmp_path)
    assert found.gaps == (
        Gap("postgres", "postgres", 2.0, 4.0, "refused: user:[secret]@host"),
        Gap("redis", "redis", 5.0, 9.0, "timeout"),
    )
    assert "correct-horse" not in (tmp_path / "resources" / GAPS).read_text()


def test_a_record_without_resources_has_none(tmp_path):
    """An old record is not damaged."""
    assert read_resources(tmp_path) is NOTHING


def test_a_crash_costs_what_came_after_the_last_flush(writer, tmp_path):
    """Readings of the first five seconds and later are in files of their own; that nothing was sealed is said."""
    for at in range(1, 14):
        writer.add("system", at * NS, [gauge(at)])
        writer.flush()
    found = read_resources(tmp_path)
    assert found.get("process.threads", "service").at_s.tolist() == [float(at) for at in range(1, 11)]
    assert found.problems == ("resources are not sealed: their writer was cut short",)
    assert read_resources(tmp_path, finished=False).problems == ()


def test_pieces_grow_with_the_run_and_end(writer, tmp_path):
    """A day at one reading a second is some 1,500 files, not 17,000."""
    for at in range(0, 24 * 3600, 5):
        writer.add("system", at * NS, [gauge(at)])
        writer.flush()
    writer.close()
    assert 1_400 < len(list((tmp_path / "resources" / "series").glob("*.parquet"))) < 1_700


def test_what_is_held_in_memory_is_bounded(writer, tmp_path):
    """Where nobody writes what comes is let go; half of it is written at once, however little time went by."""
    writer.add("system", NS, [gauge(1.0)] * MOST_ROWS)
    writer.add("system", NS, [gauge(1.0)])
    assert len(writer._rows) == MOST_ROWS
    writer.flush()
    assert writer._rows == []
    assert len(list((tmp_path / "resources" / "series").glob("*.parquet"))) == 1


def test_a_piece_that_is_missing_or_not_as_it_was_is_told(writer, tmp_path):
    """What the others hold is still read."""
    for at in (5, 10, 15):
        writer.add("system", at * NS, [gauge(at)])
        writer.flush()
    writer.close()
    first, second, _ = sorted((tmp_path / "resources" / "series").glob("*.parquet"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.unlink()
    found = read_resources(tmp_path)
    assert len(found.get("process.threads", "service")) == 1
    assert [problem.split(":")[0] for problem in found.problems] == [
        f"series/{first.name} cannot be read",
        f"series/{second.name} is missing",
    ]


def test_damaged_lines_of_gaps_are_told(writer, tmp_path):
    """Except the last line of a run in progress, which may be half written."""
    writer.begin_gap("redis", "redis", NS, "timeout")
    writer.close()
    path = tmp_path / "resources" / GAPS
    path.write_bytes(path.read_bytes() + b'{"collector": "re')
    assert len(read_resources(tmp_path, finished=False).gaps) == 1
    assert read_resources(tmp_path, finished=False).problems == ()
    assert "line 2 of gaps.jsonl is damaged" in read_resources(tmp_path).problems[0]


def test_a_disk_that_is_full_is_an_error_and_fills_no_memory(writer, monkeypatch):
    """Whoever collects is told, and what could not be written is let go."""

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer._parts, "add", full)
    writer.add("system", 6 * NS, [gauge(1.0)])
    with pytest.raises(RecordError, match="No space left"):
        writer.flush()
    assert writer._rows == []


def test_what_collectors_kept_besides_is_read(writer, tmp_path):
    """By the part; a file that is damaged is told."""
    writer.close()
    (tmp_path / "resources" / "postgres.json").write_text('{"tables": []}')
    (tmp_path / "resources" / "broken.json").write_text("{")
    found = read_resources(tmp_path)
    assert found.kept == {"postgres": {"tables": []}}
    assert "broken.json cannot be read" in found.problems[0]


def test_writing_imports_no_pandas(tmp_path):
    """It would take seconds on a busy machine, in the midst of a run."""
    code = (
        "import sys; from pathlib import Path\n"
        "from resilience.model.resources import Reading, Unit\n"
        "from resilience.record.redact import Redactor\n"
        "from resilience.record.resources import ResourcesWriter\n"
        "writer = ResourcesWriter(Path(sys.argv[1]), Redactor(['correct-horse']))\n"
        "writer.add('system', 1, [Reading('a', 'b', Unit.COUNT, 1.0, None, True)])\n"
        "writer.close()\n"
        "sys.exit('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=False, timeout=100)
    assert done.returncode == 0
    assert len(list((tmp_path / "resources" / "series").glob("*.parquet"))) == 1


def test_pandas_reads_the_folder(writer, tmp_path):
    """All pieces as one table."""
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    for at in (1, 7, 14):
        writer.add("system", at * NS, [gauge(at), counter(at)])
    writer.flush(due=False)
    table = pandas.read_parquet(tmp_path / "resources" / "series")
    assert len(table) == 6
    assert set(table["name"]) == {"process.threads", "process.cpu"}
