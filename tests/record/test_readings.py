"""Readings of dependencies, written and read back; damage is said."""

import json

import pytest

from resilience.errors import RecordError
from resilience.record.readings import ReadingsWriter, path_of, read_readings
from resilience.record.redact import Redactor


@pytest.fixture
def written(tmp_path):
    """Three readings, the last of another epoch, and one that was missed; not closed."""
    writer = ReadingsWriter(tmp_path, "redis", "commands", Redactor(["correct-horse"]))
    writer.add(-5, 10.0, "a")
    writer.add(500, 12.0, "a")
    writer.missed(700, "no answer from redis://u:correct-horse@h")
    writer.add(900, 3.0, "b")
    return tmp_path, writer


def test_readings_read_back(written):
    """Requirement J1: what was read is there, what was missed is counted, secrets are not there."""
    folder, writer = written
    writer.close()
    found = read_readings(folder, "redis")
    assert (found.name, found.at_ns.tolist(), found.count.tolist()) == ("redis", [-5, 500, 900], [10.0, 12.0, 3.0])
    assert found.epoch[0] == found.epoch[1] != found.epoch[2]
    assert (found.missed, found.problems) == (1, ())
    text = path_of(folder, "redis").read_text()
    assert "correct-horse" not in text
    assert json.loads(text.splitlines()[0]) == {"format": 1, "dependency": "redis", "counts": "commands"}


def test_a_file_without_its_end_was_cut_short_once_the_run_is_over(written):
    """While the run lasts there is no end yet."""
    folder, _ = written
    assert read_readings(folder, "redis", finished=False).problems == ()
    assert read_readings(folder, "redis").problems == ("redis: the readings were cut short",)


def test_missing_readings_are_a_problem(tmp_path):
    """Nothing was read is not nobody called."""
    found = read_readings(tmp_path, "redis")
    assert len(found) == 0
    assert "there are no readings" in found.problems[0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"at_ns": 1, "count": 2, "epo', "no whole line|Unterminated"),
        (b"\xff\xff\n", "damaged"),
        (b'{"at_ns": 1.5, "count": 2, "epoch": "a"}\n', "no reading"),
        (b'{"at_ns": 1, "count": NaN, "epoch": "a"}\n', "no reading"),
        (b'{"at_ns": 1, "count": "many", "epoch": "a"}\n', "damaged"),
        (b'{"at_ns": 1}\n', "damaged"),
        (b"[]\n", "no whole line"),
        (b'{"end": 7}\n', "7 lines were written, 5 are there"),
    ],
)
def test_damage_is_said(written, line, told):
    """Whatever is there up to the damage is read, and what is wrong stands in the problems."""
    folder, _ = written
    with path_of(folder, "redis").open("ab") as file:
        file.write(line)
    found = read_readings(folder, "redis")
    assert found.at_ns.tolist() == [-5, 500, 900]
    assert len(found.problems) == 1
    assert any(words in found.problems[0] for words in told.split("|"))


def test_a_lost_line_is_missed(written):
    """A line that is gone from the middle leaves a count that does not agree."""
    folder, writer = written
    writer.close()
    path = path_of(folder, "redis")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert "5 lines were written, 4 are there" in read_readings(folder, "redis").problems[0]


def test_a_file_of_another_format_is_not_guessed_at(tmp_path):
    """Neither is one that is there already written over."""
    path = path_of(tmp_path, "redis")
    path.parent.mkdir()
    path.write_text('{"format": 2}\n{"end": 1}\n')
    assert "format 2" in read_readings(tmp_path, "redis").problems[0]
    with pytest.raises(RecordError, match="cannot be written"):
        ReadingsWriter(tmp_path, "redis", "commands", Redactor())
