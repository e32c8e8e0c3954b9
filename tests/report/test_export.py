"""CSV: every sample that is wanted and no other, exact, harmless in a spreadsheet."""

import csv
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from resilience.errors import SpecError
from resilience.model import Event, EventKind
from resilience.record.samples import SampleWriter
from resilience.report.export import COLUMNS, safe, write_csv
from resilience.report.selection import Selection, Timeline

NS = 10**9
EVENTS = (
    (0.0, "phase", "warm-up", {}),
    (4.0, "phase", "fault", {"fault": "redis-down"}),
    (8.0, "phase", "recovery", {}),
    (10.0, "end", "", {}),
)


def write_run(folder, rows, operations=("read", "=cmd()"), **options):
    """A run folder with these samples: (arrival in seconds, milliseconds, operation, outcome, detail)."""
    folder.mkdir()
    lines = [{"at_s": at, "kind": kind, "name": name, "detail": detail} for at, kind, name, detail in EVENTS]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    writer = SampleWriter(folder, "load", operations, **options)
    tenant = 0 if options.get("tenants") else -1
    for number, (at_s, took_ms, operation, outcome, detail) in enumerate(rows):
        arrival = round(at_s * NS)
        writer.add(
            arrival, arrival, arrival + round(took_ms * 1e6), operation, outcome, 200, detail=detail, tenant=tenant
        )
        if number % 3 == 2:
            writer.flush()
    writer.close()
    return folder


ROWS = [(number * 0.5, 1.5 + number, number % 2, 0, "") for number in range(20)]


def exported(path):
    """The rows of a file as a spreadsheet would have them."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_sample_exactly(tmp_path):
    """Requirement R1: one row for each sample, in order, with phase, name and the exact time that it took."""
    path = tmp_path / "x.csv"
    assert write_csv([write_run(tmp_path / "run", ROWS)], path, Selection()) == ()
    rows = exported(path)
    assert [float(row["arrival_s"]) for row in rows] == [row[0] for row in ROWS]
    assert [float(row["response_ms"]) for row in rows] == [row[1] for row in ROWS]
    assert [row["phase"] for row in rows] == ["warm-up"] * 8 + ["fault(redis-down)"] * 8 + ["recovery(redis-down)"] * 4
    assert {row["operation"] for row in rows} == {"read", "'=cmd()"}
    assert len(pd.read_csv(path)) == 20
    assert not list(tmp_path.glob(".x.csv*"))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Selection(from_s=2.0, to_s=4.0), range(4, 8)),
        (Selection(phases=("fault",)), range(8, 16)),
        (Selection(phases=("recovery(redis-down)",)), range(16, 20)),
        (Selection(operations=("read",)), range(0, 20, 2)),
        (Selection(to_s=5.0, phases=("fault", "warm-up"), operations=("=cmd()",)), range(1, 10, 2)),
        (Selection(from_s=9.9), ()),
    ],
)
def test_only_what_is_wanted(tmp_path, wanted, numbers):
    """A stretch includes its beginning and not its end; phases by kind or label; all conditions at once."""
    path = tmp_path / "x.csv"
    write_csv([write_run(tmp_path / "run", ROWS)], path, wanted, ("response_ms",))
    assert [float(row["response_ms"]) for row in exported(path)] == [1.5 + number for number in numbers]


def test_unknown_names_are_refused_all_at_once(tmp_path):
    """An export that is empty because of a slip would look like a quiet run."""
    folder = write_run(tmp_path / "run", ROWS)
    with pytest.raises(SpecError) as error:
        write_csv([folder], tmp_path / "x.csv", Selection(3.0, 2.0, ("falt",), ("reed",)), ("nope",))
    assert [problem.where for problem in error.value.problems] == ["--columns", "--operation", "--phase", "--to"]
    assert not (tmp_path / "x.csv").exists()


def test_no_cell_is_a_formula(tmp_path):
    """What a spreadsheet would take for a formula is a text; what cannot be seen is escaped."""
    details = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", 'a"b,c\nd', "\x1b[2J", "plain"]
    path = tmp_path / "x.csv"
    rows = [(number, 1.0, 0, 1, detail) for number, detail in enumerate(details)]
    write_csv([write_run(tmp_path / "run", rows)], path, Selection(), ("detail", "response_ms"))
    found = [row["detail"] for row in exported(path)]
    assert found == ["'=1+1", "'+1", "'-1", "'@x", "'\\t=1", "'\\r=1", "'  =1", 'a"b,c\\nd', "\\x1b[2J", "plain"]
    assert safe("plain") == "plain"


def test_what_was_never_sent_took_no_time(tmp_path):
    """A dropped operation has no response time: an empty cell, not zero."""
    path = tmp_path / "x.csv"
    write_csv([write_run(tmp_path / "run", [(1.0, 0.0, 0, 3, ""), (2.0, 5.0, 0, 0, "")])], path, Selection())
    assert [row["response_ms"] for row in exported(path)] == ["", "5"]


def test_columns_that_some_loads_have(tmp_path):
    """Tenants, regions and times of streams are there only with a load that has them; unknown ones are empty."""
    path = tmp_path / "x.csv"
    plain, rich = write_run(tmp_path / "a", ROWS[:2]), write_run(tmp_path / "b", ROWS[:2], tenants=("-t",), timed=True)
    write_csv([plain], path, Selection())
    assert "tenant" not in exported(path)[0]
    write_csv([plain, rich], path, Selection())
    rows = exported(path)
    assert [row["run"] for row in rows] == ["a", "a", "b", "b"]
    assert [row["first_s"] for row in rows] == ["", "", "", ""]
    assert [row["tenant"] for row in rows] == ["", "", "'-t", "'-t"]
    assert set(rows[0]) <= {"run", *COLUMNS}


def test_damage_is_told_and_left_out(tmp_path):
    """A file that is not the one that was sealed is not exported, and said to be missing from it."""
    folder = write_run(tmp_path / "run", ROWS)
    victim = sorted((folder / "samples").glob("*.parquet"))[1]
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    (folder / "samples" / "load-00002.parquet").unlink()
    problems = write_csv([folder], tmp_path / "x.csv", Selection())
    assert ["cannot be read" in text or "is missing" in text for text in problems] == [True, True]
    assert len(exported(tmp_path / "x.csv")) == 14


def test_columns_select_as_tables_do():
    """The same selection on columns in memory and in the export."""
    events = (Event(0.0, EventKind.PHASE, "baseline"), Event(5.0, EventKind.END))
    line = Timeline.of(events)
    arrival = np.array([0, 4 * NS, 5 * NS, 9 * NS])
    assert line.where(arrival).tolist() == [0, 0, -1, -1]
    wanted = replace(Selection(), phases=("baseline",), from_s=1.0)
    assert wanted.of(arrival, line.where(arrival), line).tolist() == [False, True, False, False]
