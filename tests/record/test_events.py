"""The event log, written and read back."""

import hashlib
import json
import resource
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.errors import RecordError
from resilience.model import Event, EventKind
from resilience.record.events import FORMAT, EventLog, read_events
from resilience.record.redact import Redactor


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def written(path, clock):
    """A complete log of six lines."""
    log = EventLog(path, clock, header={"run": "0badcafe"})
    log.emit(EventKind.PHASE, "baseline")
    log.emit(EventKind.REQUESTED, "redis-down", kind="toxiproxy.down", on="redis", name="also a detail")
    log.emit(EventKind.CONFIRMED, "redis-down", proof="refused")
    log.emit(EventKind.END)
    log.close()
    return path


def digest_before_footer(path):
    lines = path.read_bytes().splitlines(keepends=True)
    return hashlib.blake2b(b"".join(lines[:-1]), digest_size=32).hexdigest()


def test_log_reads_back(written):
    """Everything that was emitted is read back, between header and footer, in order, without a problem."""
    events, problems = read_events(written)
    assert problems == ()
    assert events == (
        Event(0.0, EventKind.HEADER, "", {"format": FORMAT, "run": "0badcafe"}),
        Event(1.0, EventKind.PHASE, "baseline"),
        Event(
            2.0, EventKind.REQUESTED, "redis-down", {"kind": "toxiproxy.down", "on": "redis", "name": "also a detail"}
        ),
        Event(3.0, EventKind.CONFIRMED, "redis-down", {"proof": "refused"}),
        Event(4.0, EventKind.END),
        Event(5.0, EventKind.FOOTER, "", {"events": 5, "blake2b": digest_before_footer(written)}),
    )
    assert isinstance(events[1].kind, EventKind)


def test_every_event_is_there_at_once(path, clock):
    """A reader of a run in progress sees an event as soon as `emit` returned, and no complaint about the end."""
    log = EventLog(path, clock)
    event = log.emit(EventKind.MARK, text="now")
    events, problems = read_events(path, finished=False)
    assert (events[-1], problems) == (event, ())
    log.close()


def test_run_killed_with_sigkill_keeps_what_was_emitted(path):
    """SIGKILL costs nothing that was emitted; the record says that it was cut short (Requirement F7)."""
    program = (
        "import os, signal, sys, pathlib\n"
        "from resilience.model import EventKind\n"
        "from resilience.record.events import EventLog\n"
        "class Clock:\n"
        "    def now_s(self): return 1.0\n"
        "    def sleep_until(self, at_s): pass\n"
        "log = EventLog(pathlib.Path(sys.argv[1]), Clock())\n"
        "log.emit(EventKind.REQUESTED, 'redis-down', kind='x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -9
    events, problems = read_events(path)
    assert events[-1].name == "redis-down"
    assert problems == ("events.jsonl has no footer: the run was cut short",)


@settings(deadline=None)
@given(cut=st.integers(min_value=1, max_value=10_000))
def test_cut_log_is_never_whole(tmp_path_factory, cut):
    """Wherever the file ends too early, what is left is read and there is a problem."""
    lines = [{"at_s": 0.0, "kind": "header", "name": "", "detail": {"format": 1}}]
    lines += [{"at_s": float(n), "kind": "mark", "name": "", "detail": {"text": "ö"}} for n in range(1, 5)]
    lines += [{"at_s": 9.0, "kind": "footer", "name": "", "detail": {"events": 5}}]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    path = tmp_path_factory.mktemp("cut") / "events.jsonl"
    path.write_bytes(content)
    assert read_events(path)[1] == ()
    kept = content[: -(cut % (len(content) - 1) + 1)]
    path.write_bytes(kept)
    events, problems = read_events(path)
    assert problems
    assert len(events) == kept.count(b"\n")


DAMAGE = {
    "half a line at the end": (lambda lines: [*lines[:-1], lines[-1][:-9]], "ends in half a line", 5),
    "a damaged line": (lambda lines: [*lines[:2], b"{nonsense}\n", *lines[3:]], "line 3 is damaged", 5),
    "an empty line": (lambda lines: [*lines[:2], b"\n", *lines[2:]], "line 3 is damaged", 6),
    "a missing line": (lambda lines: [*lines[:2], *lines[3:]], "should have 5 events before its footer, 4", 5),
    "a line twice": (lambda lines: [*lines[:2], *lines[1:]], "should have 5 events before its footer, 6", 7),
    "lines swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "not in order of time", 6),
    "no header": (lambda lines: lines[1:], "has no header", 5),
    "two headers": (lambda lines: [lines[0], *lines], "more than one header", 7),
    "no footer": (lambda lines: lines[:-1], "has no footer", 5),
    "more after the footer": (lambda lines: [*lines, lines[-2]], "goes on after its footer", 7),
    "other format": (lambda lines: [lines[0].replace(b'"format": 1', b'"format": 2'), *lines[1:]], "format 2, 1", 6),
    "unknown kind": (lambda lines: [lines[0], lines[1].replace(b"phase", b"phrase"), *lines[2:]], "phrase", 5),
    "time that is none": (lambda lines: [lines[0], lines[1].replace(b"1.0", b"NaN"), *lines[2:]], "NaN", 5),
    "time out of range": (lambda lines: [lines[0], lines[1].replace(b"1.0", b"1e999"), *lines[2:]], "inf", 5),
    "time as text": (lambda lines: [lines[0], lines[1].replace(b"1.0", b'"1"'), *lines[2:]], "a number was", 5),
    "detail that is none": (lambda lines: [lines[0], lines[1].replace(b"{}", b"[]"), *lines[2:]], "an object", 5),
    "no UTF-8": (lambda lines: [lines[0], b"\xff\n", *lines[1:]], "line 2 is damaged", 6),
    "empty": (lambda _lines: [], "has no header", 0),
}


@pytest.mark.parametrize(("damage", "message", "left"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_a_problem_and_the_rest_is_read(written, damage, message, left):
    """Any damage is said; it never raises, and never costs more than the lines that it hit."""
    lines = written.read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    written.write_bytes(b"".join(damage(lines)))
    events, problems = read_events(written)
    assert message in " ".join(problems)
    assert len(events) == left


def test_a_flipped_bit_that_leaves_good_json_is_a_problem(written):
    """Another instant, another name: each line reads well, and the whole is not what was written."""
    content = written.read_bytes()
    end = content[:-1].rindex(b"\n")
    for place in range(0, end, 7):
        for bit in (0, 2):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            written.write_bytes(damaged)
            assert read_events(written)[1], damaged


def test_an_old_log_without_a_digest_is_read_as_it_was(written):
    """Its footer has the count alone."""
    *lines, footer = written.read_bytes().splitlines(keepends=True)
    told = json.loads(footer)
    del told["detail"]["blake2b"]
    written.write_bytes(b"".join(lines) + json.dumps(told).encode() + b"\n")
    assert read_events(written)[1] == ()


def test_missing_log_is_a_problem(path):
    """No file is a problem, not an exception."""
    events, problems = read_events(path)
    assert events == ()
    assert "cannot be read" in problems[0]


def test_listeners_hear_everything(path, clock):
    """A listener hears header, events and footer, after they are in the file."""
    heard = []

    def listener(event):
        assert event in read_events(path, finished=False)[0]
        heard.append(event)

    log = EventLog(path, clock, [listener])
    log.emit(EventKind.MARK)
    log.close()
    assert tuple(heard) == read_events(path)[0]


def test_listener_that_fails_is_one_problem(path, clock):
    """What a listener raises never reaches whoever emits; it is told once, and the other listeners go on."""
    heard = []

    def broken(event):
        raise RuntimeError(f"no display for {event.kind}")

    log = EventLog(path, clock, [broken, heard.append])
    for _ in range(3):
        log.emit(EventKind.MARK)
    log.close()
    events, problems = read_events(path)
    assert problems == ()
    told = [event for event in events if event.kind is EventKind.PROBLEM]
    assert len(told) == 1
    assert "RuntimeError: no display for header" in str(told[0].detail["message"])
    assert tuple(heard) == events


def test_listener_may_emit(path, clock):
    """A listener that answers an event with another one blocks nobody."""
    log = None

    def echo(event):
        if event.kind is EventKind.MARK:
            log.emit(EventKind.PROBLEM, "echo")

    log = EventLog(path, clock, [echo])
    log.emit(EventKind.MARK)
    log.close()
    assert [event.kind.value for event in read_events(path)[0]] == ["header", "mark", "problem", "footer"]


def test_threads_do_not_mix_lines(path, clock):
    """Events of several threads are whole lines in order of time, none lost."""
    log = EventLog(path, clock)

    def emit():
        for number in range(50):
            log.emit(EventKind.MARK, text="x" * 200, number=number)

    threads = [threading.Thread(target=emit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    events, problems = read_events(path)
    assert problems == ()
    assert len(events) == 202


def test_secrets_are_neither_written_nor_told(path, clock):
    """A secret in a name, a key or deep in a detail is in no artefact and in no live view."""
    secret = "correct-horse"
    heard = []
    log = EventLog(path, clock, [heard.append], header={"dsn": secret}, redactor=Redactor([secret]))
    returned = log.emit(EventKind.PROBLEM, f"at {secret}", **{secret: [{"deep": f"x{secret}x"}]})
    log.close()
    assert secret not in path.read_text()
    assert secret not in repr(heard)
    assert secret not in repr(returned)
    assert read_events(path)[1] == ()


def test_any_text_can_be_written(path, clock):
    """Line breaks, quotes, other scripts and lone surrogates (undecodable bytes of a program's output) all fit."""
    texts = ["a\nb\r\n\u2028", '"\\', "ö 漢 🙂", b"\xff".decode(errors="surrogateescape")]
    log = EventLog(path, clock)
    for text in texts:
        log.emit(EventKind.MARK, text=text)
    log.close()
    events, problems = read_events(path)
    assert problems == ()
    assert [event.detail["text"] for event in events[1:-1]] == texts


def test_log_cannot_be_misused(path, clock):
    """No second header or footer, nothing after the end, no second log in the same file."""
    log = EventLog(path, clock)
    for kind in (EventKind.HEADER, EventKind.FOOTER):
        with pytest.raises(ValueError, match="writes its header and footer itself"):
            log.emit(kind)
    log.close()
    log.close()
    with pytest.raises(RecordError, match="came too late"):
        log.emit(EventKind.MARK)
    with pytest.raises(RecordError, match="cannot be made"):
        EventLog(path, clock)
    assert read_events(path)[1] == ()


def test_full_disk_is_an_error_and_costs_one_event(path, clock):
    """When half a line fits, `emit` says so; later events stand on lines of their own."""
    log = EventLog(path, clock)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(RecordError, match="20 of 7"):
            log.emit(EventKind.MARK, text="lost")
        with pytest.raises(RecordError, match="cannot be written"):
            log.emit(EventKind.MARK, text="lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    log.emit(EventKind.MARK, text="kept")
    log.close()
    events, problems = read_events(path)
    assert [event.detail.get("text") for event in events[1:-1]] == ["kept"]
    assert problems == (f"events.jsonl line 2 is damaged: {problems[0].partition(': ')[2]}",)


def test_only_the_owner_can_read(path, clock):
    """A record may hold what its owner does not show everybody."""
    EventLog(path, clock).close()
    assert path.stat().st_mode & 0o777 == 0o600
