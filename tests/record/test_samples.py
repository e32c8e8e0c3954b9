"""Samples, written and read back."""

import hashlib
import json
import threading
import time

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.errors import RecordError
from resilience.model import OUTCOMES, Outcome
from resilience.record.redact import Redactor
from resilience.record.samples import SampleWriter, read_samples

OPERATIONS = ("read-item", "place-order")
INT64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.tuples(
    INT64,
    INT64,
    INT64,
    st.integers(0, 1),
    st.integers(0, len(OUTCOMES) - 1),
    st.integers(0, 599),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.booleans(),
)


def rows_of(samples):
    """Rows as they were given to `add`."""
    columns = [
        samples.arrival_ns,
        samples.start_ns,
        samples.end_ns,
        samples.operation,
        samples.outcome,
        samples.status,
        samples.degraded,
        samples.detail,
        samples.shed,
    ]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(*row[:7], samples.details[row[7]], *row[8:]) for row in rows]


@settings(deadline=None, max_examples=40)
@given(batches=st.lists(st.lists(ROWS, max_size=4), max_size=4))
def test_samples_read_back(tmp_path_factory, batches):
    """Every sample is read back as it was added, in whatever flush it went (Requirement M1)."""
    folder = tmp_path_factory.mktemp("run")
    writer = SampleWriter(folder, "load", OPERATIONS)
    for batch in batches:
        for row in batch:
            writer.add(*row)
        assert writer.flush() == len(batch)
    writer.close()
    samples, problems = read_samples(folder)
    expected = [row for batch in batches for row in batch]
    assert rows_of(samples) == expected
    assert rows_of(read_samples(folder, ordered=True)[0]) == sorted(expected, key=lambda row: row[0])
    assert samples.details[0] == ""
    if expected:
        assert problems == ()
        assert tuple(samples.operations) == OPERATIONS
    else:
        assert problems == (f"there are no samples in {folder / 'samples'}",)


@pytest.fixture
def run(tmp_path):
    """Two writers, two parts each, ten samples a part."""
    for prefix, operations in (("load-0", OPERATIONS), ("load-1", OPERATIONS[::-1])):
        writer = SampleWriter(tmp_path, prefix, operations)
        for part in range(2):
            for n in range(10):
                writer.add(n, n, n + part, operations.index("read-item"), 0, 200, detail=f"{prefix} {n % 2}")
            writer.flush()
        writer.close()
    return tmp_path


def test_writers_may_number_differently(run):
    """Each file has its own dictionaries; read together, the same name has one number."""
    samples, problems = read_samples(run)
    assert problems == ()
    assert len(samples) == 40
    assert {samples.operations[index] for index in samples.operation.tolist()} == {"read-item"}
    assert sorted(set(samples.details)) == ["", "load-0 0", "load-0 1", "load-1 0", "load-1 1"]


def test_columns_are_read_only_and_typed(run):
    """The arrays are what `columns.Samples` promises."""
    samples, _ = read_samples(run)
    kinds = {"arrival_ns": "int64", "operation": "int16", "outcome": "int8", "status": "int16", "detail": "int32"}
    assert {name: getattr(samples, name).dtype.name for name in kinds} == kinds
    assert samples.degraded.dtype == samples.shed.dtype == np.bool_
    assert not samples.end_ns.flags.writeable


def test_a_record_from_before_there_was_shedding_reads_as_nothing_shed(tmp_path):
    """Requirement J1: what older files do not say was not so; their other columns are as they were."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    writer.add(1, 2, 3, 1, 0, 200, degraded=True, detail="why", shed=True)
    writer.close()
    (part,) = (tmp_path / "samples").glob("*.parquet")
    table = pq.read_table(part)
    pq.write_table(table.select([name for name in table.column_names if name != "shed"]), part)
    reseal(
        tmp_path / "samples" / "_load.sealed.json",
        lambda seal: seal["parts"][part.name].update(
            blake2b=hashlib.blake2b(part.read_bytes(), digest_size=16).hexdigest()
        ),
    )
    samples, problems = read_samples(tmp_path)
    assert problems == ()
    assert rows_of(samples) == [(1, 2, 3, 1, 0, 200, True, "why", False)]


def test_tenants_and_regions_are_read_back_by_name(tmp_path):
    """Requirement L4: whose operation it was, and from where; files without them read as of nobody's."""
    writer = SampleWriter(tmp_path, "load-0", OPERATIONS, tenants=("blue", "green"), regions=("eu",))
    for number in range(6):
        writer.add(number, number, number + 1, 0, 0, tenant=number % 2, region=0)
    writer.close()
    other = SampleWriter(tmp_path, "load-1", OPERATIONS, tenants=("red", "green"))
    other.add(6, 6, 7, 0, 0, tenant=1)
    other.close()
    plain = SampleWriter(tmp_path, "load-2", OPERATIONS)
    plain.add(7, 7, 8, 0, 0)
    plain.close()
    samples, problems = read_samples(tmp_path)
    assert problems == ()
    assert (samples.tenants, samples.regions) == (("blue", "green", "red"), ("eu",))
    assert [samples.tenants[index] if index >= 0 else "" for index in samples.tenant.tolist()] == [
        *["blue", "green"] * 3,
        "green",
        "",
    ]
    assert samples.region.tolist() == [0] * 6 + [-1, -1]
    few = samples.where(samples.arrival_ns >= 5)
    assert (few.tenant.tolist(), few.region.tolist(), few.tenants) == ([1, 1, -1], [0, -1, -1], samples.tenants)
    table = pq.read_table(tmp_path / "samples" / "load-0-00000.parquet")
    assert table["tenant"].to_pylist() == ["blue", "green"] * 3


def test_without_tenants_nothing_is_written_or_held_for_them(tmp_path):
    """Most loads have none: their files and arrays have no such column."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    writer.add(1, 2, 3, 0, 0)
    writer.close()
    samples, problems = read_samples(tmp_path)
    assert (samples.tenant, samples.region, samples.tenants, problems) == (None, None, (), ())
    assert samples.where(samples.arrival_ns > 0).tenant is None
    assert "tenant" not in pq.read_schema(tmp_path / "samples" / "load-00000.parquet").names


def test_which_copy_answered_and_traces_are_read_back_over_files(tmp_path):
    """Requirement J7, M3: only where they are asked for; what was not said, and files without them, read as nothing."""
    both = SampleWriter(tmp_path, "load-0", OPERATIONS, said=("served", "trace"))
    both.add(0, 0, 1, 0, 0, said=("service-2", "ab-cd"))
    both.add(1, 1, 2, 0, 0)
    both.flush()
    both.add(2, 2, 3, 0, 0, said=("service", ""))
    both.close()
    plain = SampleWriter(tmp_path, "load-1", OPERATIONS)
    plain.add(3, 3, 4, 0, 0, said=("not asked for", "nor this"))
    plain.close()
    samples, problems = read_samples(tmp_path)
    assert problems == ()
    assert (samples.copies, samples.traces) == (("", "service-2", "service"), ("", "ab-cd"))
    assert samples.served.tolist() == [1, 0, 2, -1]
    assert samples.trace.tolist() == [1, 0, 0, -1]
    few = samples.where(samples.arrival_ns >= 2)
    assert (few.served.tolist(), few.copies) == ([2, -1], samples.copies)
    alone = tmp_path / "alone"
    writer = SampleWriter(alone, "load", OPERATIONS)
    writer.add(1, 2, 3, 0, 0)
    writer.close()
    read, _ = read_samples(alone)
    assert (read.served, read.trace, read.copies, read.traces) == (None, None, (), ())


def test_a_tenant_that_nobody_named_is_not_written(tmp_path):
    """An index out of range is an error, not a nobody."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS, tenants=("blue",))
    writer.add(1, 2, 3, 0, 0)
    with pytest.raises(RecordError):
        writer.flush()


def corrupt(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def reseal(path, change):
    seal = json.loads(path.read_bytes())
    change(seal)
    path.write_text(json.dumps(seal))


DAMAGE = {
    "no seal": (lambda folder: (folder / "_load-0.sealed.json").unlink(), "'load-0' are not sealed", 40),
    "missing part": (lambda folder: (folder / "load-1-00000.parquet").unlink(), "00000.parquet is missing", 30),
    "wrong count": (
        lambda folder: reseal(
            folder / "_load-0.sealed.json",
            lambda s: (s.update(rows=21), s["parts"]["load-0-00000.parquet"].update(rows=11)),
        ),
        "should have 11 samples, it has 10",
        40,
    ),
    "seal that contradicts itself": (
        lambda folder: reseal(folder / "_load-0.sealed.json", lambda s: s.update(rows=3)),
        "seal samples/_load-0.sealed.json is damaged",
        40,
    ),
    "seal of another format": (
        lambda folder: reseal(folder / "_load-0.sealed.json", lambda s: s.update(format=9)),
        "format 9",
        40,
    ),
    "damaged seal": (lambda folder: (folder / "_load-0.sealed.json").write_text("{"), "is damaged", 40),
    "seal that is a list": (lambda folder: (folder / "_load-0.sealed.json").write_text("[]"), "is damaged", 40),
    "cut part": (
        lambda folder: (folder / "load-0-00001.parquet").write_bytes(b"PAR1"),
        "load-0-00001.parquet cannot be read",
        30,
    ),
    "empty part": (lambda folder: (folder / "load-0-00001.parquet").write_bytes(b""), "cannot be read", 30),
    "flipped bit": (lambda folder: corrupt(folder / "load-0-00001.parquet", 40), "not the file that was sealed", 30),
    "parts swapped": (
        lambda folder: (folder / "load-0-00001.parquet").replace(folder / "load-1-00001.parquet"),
        "not the file that was sealed",
        20,
    ),
    "another program's file": (
        lambda folder: ds.write_dataset(
            ds.dataset(folder / "load-0-00000.parquet").to_table(["status"]),
            folder,
            format="parquet",
            basename_template="x-{i}.parquet",
            existing_data_behavior="overwrite_or_ignore",
        ),
        "x-0.parquet cannot be read",
        40,
    ),
}


@pytest.mark.parametrize(("damage", "message", "left"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_a_problem_and_the_rest_is_read(run, damage, message, left):
    """Missing, damaged, miscounted, unsealed: each is said, and what is whole is read."""
    damage(run / "samples")
    samples, problems = read_samples(run)
    assert message in " ".join(problems)
    assert len(samples) == left


def test_any_flipped_bit_is_noticed(run):
    """No flipped bit of a sealed part, data or description, goes unnoticed."""
    path = run / "samples" / "load-0-00000.parquet"
    whole = path.read_bytes()
    for place in range(0, len(whole), 11):
        corrupt(path, place)
        samples, problems = read_samples(run)
        assert problems, f"byte {place}"
        assert len(samples) == 30
        path.write_bytes(whole)


def test_flipped_bit_of_unsealed_data_is_noticed(run):
    """Before the seal is there, the pages' own checksums guard the data."""
    for path in (run / "samples").glob("*.json"):
        path.unlink()
    path = run / "samples" / "load-0-00000.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    corrupt(path, column.data_page_offset + column.total_compressed_size - 1)  # of its page the data, not the header
    samples, problems = read_samples(run, finished=False)
    assert "load-0-00000.parquet cannot be read" in problems[0]
    assert len(samples) == 30


def test_run_in_progress_needs_no_seal(tmp_path):
    """What was flushed so far can be read while the run goes on; a half-written part is not met."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    writer.add(0, 0, 1, 0, 0, 200)
    writer.flush()
    writer.add(1, 1, 2, 0, 0, 200)
    (tmp_path / "samples" / "load-00001.parquet.part").write_bytes(b"PAR1 half")
    samples, problems = read_samples(tmp_path, finished=False)
    assert (len(samples), problems) == (1, ())
    assert read_samples(tmp_path)[1] == ("samples of 'load' are not sealed: their writer was cut short",)


def test_no_folder_is_a_problem(tmp_path):
    """Nothing at all is a problem, never an empty success."""
    samples, problems = read_samples(tmp_path)
    assert len(samples) == 0
    assert "there are no samples" in problems[0]


def test_nothing_is_lost_between_threads(tmp_path):
    """Adding goes on while another thread flushes; every sample is in exactly one part."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    done = threading.Event()

    def flush():
        while not done.is_set():
            writer.flush()

    flusher = threading.Thread(target=flush)
    flusher.start()
    for number in range(20_000):
        writer.add(number, 0, 0, 0, 0)
    done.set()
    flusher.join()
    writer.close()
    samples, problems = read_samples(tmp_path)
    assert problems == ()
    assert samples.arrival_ns.tolist() == list(range(20_000))


def test_failed_flush_keeps_the_samples(tmp_path):
    """Samples that could not be written are written by the next flush, in their place."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    writer.add(1, 1, 1, 0, 0)
    (tmp_path / "samples").rename(tmp_path / "away")
    with pytest.raises(RecordError, match="1 samples cannot be written"):
        writer.flush()
    with pytest.raises(RecordError):
        writer.close()
    (tmp_path / "away").rename(tmp_path / "samples")
    writer.add(2, 2, 2, 0, 0)
    writer.close()
    samples, problems = read_samples(tmp_path)
    assert (samples.arrival_ns.tolist(), problems) == ([1, 2], ())


@pytest.mark.parametrize(
    "row",
    [(0, 0, 0, 2, 0), (0, 0, 0, -1, 0), (0, 0, 0, 0, len(OUTCOMES)), (0, 0, 0, 0, 0, 40_000), (2**63, 0, 0, 0, 0)],
)
def test_numbers_out_of_range_are_refused(tmp_path, row):
    """An operation, outcome or status that cannot be is an error, not another operation's sample."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    writer.add(*row)
    with pytest.raises(RecordError, match="cannot be written"):
        writer.flush()


def test_secrets_in_details_are_not_written(tmp_path):
    """An error text with a password in it goes to disk without it."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS, Redactor(["correct-horse"]))
    writer.add(0, 0, 0, 0, 1, detail="no route to http://u:correct-horse@h")
    writer.add(0, 0, 0, 0, 1, detail="no route to http://u:correct-horse@h")
    writer.close()
    assert set(read_samples(tmp_path)[0].details) == {"", "no route to http://u:[secret]@h"}


def test_folder_reads_as_one_table(run):
    """`samples/*.parquet` is one table for other programs: names as texts, nothing else matches the pattern."""
    files = sorted(str(path) for path in (run / "samples").glob("*.parquet"))
    table = ds.dataset(files).to_table(filter=ds.field("outcome") == Outcome.OK.value)
    assert len(table) == 40
    assert set(table["operation"].to_pylist()) == {"read-item"}
    assert table.schema.names[:3] == ["arrival_ns", "start_ns", "end_ns"]


def test_pandas_reads_the_folder(run):
    """The folder reads with pandas, names as categories."""
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.concat(pandas.read_parquet(path) for path in sorted((run / "samples").glob("*.parquet")))
    assert frame.groupby("operation", observed=True).size().to_dict() == {"read-item": 40}


def test_polars_reads_the_folder(run):
    """Polars reads the folder."""
    polars = pytest.importorskip("polars", reason="needs polars")
    assert (
        polars.read_parquet(run / "samples" / "*.parquet")["operation"].cast(polars.String).to_list()
        == ["read-item"] * 40
    )


def test_duckdb_reads_the_folder(run):
    """DuckDB reads the folder."""
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    pattern = str(run / "samples" / "*.parquet")
    assert duckdb.execute("SELECT operation, count(*) FROM read_parquet(?) GROUP BY 1", [pattern]).fetchall() == [
        ("read-item", 40)
    ]


def test_adding_is_cheap(tmp_path):
    """Taking a sample costs the load generator a few microseconds at most (a hundred times less than a request)."""
    writer = SampleWriter(tmp_path, "load", OPERATIONS)
    best = min(_time_of(writer) for _ in range(5))
    writer.close()
    assert best / 2000 < 5e-6


def _time_of(writer):
    began = time.perf_counter()
    for number in range(2000):
        writer.add(number, number, number, 0, 0, 200)
    return time.perf_counter() - began
