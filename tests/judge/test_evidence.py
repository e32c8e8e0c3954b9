"""Whatever is taken out of a record, the answer is never a pass that it was not, and hardly ever still a pass.

Parts are taken out of a record in memory, event by event; and out of one on disk, as an accident would: file by file
and line by line. `RESILIENCE_DRAWS` says how many are tried.
"""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from fixtures.histories import load_all
from resilience.cli import main
from resilience.judge.verdict import judge
from resilience.model import Answer, Event, EventKind
from resilience.record import truth as truths
from resilience.record.documents import save_experiment, save_plan
from resilience.record.events import EventLog
from resilience.record.ledger import LedgerWriter
from resilience.record.reader import read_record
from resilience.record.samples import SampleWriter
from tests.judge.builder import Spell, honest, ledger_lines, steady_ledger, stored, truth_rows

DRAWS = int(os.environ.get("RESILIENCE_DRAWS", "60"))

HISTORIES = {history.name: history for history in load_all()}
GOOD = sorted(name for name, history in HISTORIES.items() if history.expect.answer is Answer.PASS)
BAD = sorted(name for name, history in HISTORIES.items() if history.expect.answer is not Answer.PASS)

TROUBLE = {EventKind.INTERRUPTED, EventKind.PROBLEM, EventKind.FAULT_PROBLEM}
"""Events that are bad news themselves. That none of them is missing is told by the footer, which counts: see below."""


def spread(pairs):
    """So many of them as are to be tried, from the beginning to the end."""
    chosen = np.linspace(0, len(pairs) - 1, min(DRAWS // 2 + 1, len(pairs))).astype(int)
    return [pairs[number] for number in chosen.tolist()]


def irrelevant(event):
    """The warm-up is not judged, so a record may do without the word that it began."""
    return event.kind is EventKind.PHASE and event.name == "warm-up"


def without(record, place):
    return replace(record, events=record.events[:place] + record.events[place + 1 :])


def test_a_good_history_without_any_one_event_is_no_pass():
    """Each event that a pass rests on is needed; the one that is not is the beginning of the warm-up."""
    pairs = [(name, place) for name in GOOD for place in range(len(HISTORIES[name].record.events))]
    for name, place in spread(pairs):
        record = HISTORIES[name].record
        event = record.events[place]
        found = judge(without(record, place))
        assert (found.answer is Answer.PASS) is irrelevant(event), f"{name} without {event}: {found.because}"


def test_a_bad_history_without_any_one_event_is_still_no_pass():
    """To lose an event that is no bad news by itself never turns unknown or fail into pass.

    One history is about an event too many, and a fault asked for twice is one asked for once without the second word.
    """
    pairs = [
        (name, place)
        for name in BAD
        for place, event in enumerate(HISTORIES[name].record.events)
        if event.kind not in TROUBLE and name != "faults/asked-twice"
    ]
    for name, place in spread(pairs):
        record = HISTORIES[name].record
        assert judge(without(record, place)).answer is not Answer.PASS, f"{name} without {record.events[place]}"


def test_a_good_history_without_ledger_truth_or_some_samples_is_no_pass():
    """Nor without any tenth of its samples, from whatever time they are."""
    pairs = [(name, what) for name in GOOD for what in ("ledger", "truth", *range(10))]
    for name, what in spread(pairs):
        record = HISTORIES[name].record
        if isinstance(what, int):
            kept = np.arange(len(record.samples)) * 10 // len(record.samples) != what
            less = replace(record, samples=record.samples.where(kept))
        elif getattr(record, what) is None:
            continue
        else:
            less = replace(record, **{what: None})
        assert judge(less).answer is not Answer.PASS, f"{name} without {what}"


class Played:
    """A clock that says when each event of a scene was."""

    def __init__(self, events):
        self.times = [event.at_s for event in events]

    def now_s(self):
        """The next one's instant."""
        return self.times.pop(0)

    def sleep_until(self, at_s):
        """Nothing waits for it."""


def save(folder, record):
    """Write a record as the parts of a run do, all closed and sealed."""
    folder.mkdir()
    save_experiment(folder, record.experiment)
    save_plan(folder, record.plan)
    samples = SampleWriter(folder, "load", record.samples.operations)
    columns = record.samples
    for row in range(len(columns)):
        samples.add(
            int(columns.arrival_ns[row]),
            int(columns.start_ns[row]),
            int(columns.end_ns[row]),
            int(columns.operation[row]),
            int(columns.outcome[row]),
            int(columns.status[row]),
            bool(columns.degraded[row]),
            columns.details[int(columns.detail[row])],
        )
    samples.close()
    writers = {}
    for name in sorted(set(record.ledger.writer.tolist())):
        writers[name] = LedgerWriter(folder / "writes" / f"load-{name}.ledger", record.plan.run)
    lines = record.ledger
    for row in range(len(lines)):
        writer = int(lines.writer[row])
        writers[writer].note(
            int(lines.mark[row]), writer, int(lines.epoch[row]), int(lines.seq[row]), int(lines.at_ns[row])
        )
    for one in writers.values():
        one.close()
    truths.save(folder, record.truth)
    counted = {
        "attempted": int(np.count_nonzero(lines.mark == 1)),
        "acknowledged": int(np.count_nonzero(lines.mark == 2)),
    }
    (first, *rest) = [event for event in record.events if event.kind is not EventKind.FOOTER]
    assert first.kind is EventKind.HEADER
    log = EventLog(
        folder / "events.jsonl", Played(record.events), header={"run": record.plan.run, "stack": record.stack}
    )
    for event in rest:
        log.emit(event.kind, event.name, **event.detail, **(counted if event.kind is EventKind.LOAD else {}))
    log.close()


ROWS = steady_ledger(writers=2, each=100)
SCENE = honest(rate=60.0, lines=ledger_lines(ROWS), truth=truth_rows(stored(ROWS)))
SCENES = {
    "pass": SCENE,
    "fail": SCENE.but(truth=truth_rows(stored(ROWS)[1:])),
    "fail of recovery": SCENE.but(spells=(Spell(19.1, 99.0, "failed"),)),
    "unknown": SCENE.but(extra=(Event(30.0, EventKind.PROBLEM, "truth", {"message": "it went away for a while"}),)),
    "interrupted": SCENE.but(extra=(Event(30.0, EventKind.INTERRUPTED, "run", {"reason": "SIGINT"}),)),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Each scene as a folder."""
    base = tmp_path_factory.mktemp("records")
    for number, scene in enumerate(SCENES.values()):
        save(base / str(number), scene.record())
    return dict(zip(SCENES, (base / str(number) for number in range(len(SCENES))), strict=True))


@pytest.mark.parametrize("name", SCENES)
def test_check_says_what_was_said(saved, name):
    """Requirement J5: `resilience check` of a record on disk has the verdict of the run, to the last figure."""
    told = judge(SCENES[name].record())
    assert told.answer.value == name.split()[0].replace("interrupted", "unknown")
    done = CliRunner().invoke(main, ["check", str(saved[name]), "--json"])
    assert done.exit_code == told.answer.exit_code
    assert json.loads(done.output) == json.loads(json.dumps(told.document))


def checked(folder):
    """Exit code and document of `resilience check`; a crash would be an exit code too, so it is let through."""
    done = CliRunner().invoke(main, ["check", str(folder), "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.output) if done.output.startswith("{") else {"refused": done.output}


def parts_of(folder):
    """Every file of a record that judging reads, and each line of its events."""
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    lines = len((folder / "events.jsonl").read_bytes().splitlines())
    return [*files, *range(lines)]


@pytest.mark.parametrize("name", SCENES)
def test_a_record_on_disk_without_any_one_part_is_no_pass(saved, name, tmp_path):
    """A samples file, a ledger file, a seal, the truth, a line of the events, bad news or not: never a pass."""
    whole = saved[name]
    for number, part in enumerate(parts_of(whole)):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        if isinstance(part, int):
            log = folder / "events.jsonl"
            lines = log.read_bytes().splitlines(keepends=True)
            log.write_bytes(b"".join(lines[:part] + lines[part + 1 :]))
        else:
            (folder / part).unlink()
        code, found = checked(folder)
        assert code in {1, 2, 3}, f"without {part}: {found}"


def test_half_of_any_file_is_no_pass(saved, tmp_path):
    """Cut in the middle, as a full disk or a crash leaves it."""
    for number, part in enumerate(one for one in parts_of(saved["pass"]) if not isinstance(one, int)):
        folder = tmp_path / str(number)
        shutil.copytree(saved["pass"], folder)
        content = (folder / part).read_bytes()
        (folder / part).write_bytes(content[: len(content) // 2])
        code, found = checked(folder)
        assert code in {1, 2, 3}, f"with half of {part}: {found}"


def test_a_flipped_bit_anywhere_in_samples_ledger_or_truth_is_no_pass(saved, tmp_path):
    """Harness mutant H8: a bit in the middle of a file; where it does not change what is read, the same pass."""
    told = judge(read_record(saved["pass"])).document
    rng = np.random.default_rng(1)
    files = [
        one for one in parts_of(saved["pass"]) if not isinstance(one, int) and one.suffix in {".parquet", ".ledger"}
    ]
    for number in range(max(6, DRAWS // 3)):
        folder = tmp_path / str(number)
        shutil.copytree(saved["pass"], folder)
        path = folder / files[number % len(files)]
        content = bytearray(path.read_bytes())
        place = int(rng.integers(len(content)))
        content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(content))
        code, found = checked(folder)
        assert code in {1, 2, 3} or found == told, f"{path.name} bit of byte {place}"
