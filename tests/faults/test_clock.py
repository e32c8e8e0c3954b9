"""A clock that is wrong: what only this fault does; see `test_contract.py` for what all do."""

import http.server
import threading
from dataclasses import replace

import pytest

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.faults.clock import Clock, offset_s
from resilience.model import FaultSpec, Undo

SPEC = FaultSpec(name="late", kind="process.clock", on="provider", duration_s=5)


@pytest.mark.parametrize(("ahead_s", "wrong"), [(300, 0), (-300, 0), (10, 0), (9, 1), (0, 1), (-9, 1), (90_000, 1)])
def test_less_than_can_be_told_is_refused(ahead_s, wrong):
    """`Date` has whole seconds: a clock that is hardly wrong could not be told from one that is right."""
    assert len(registry.check(replace(SPEC, settings={"ahead_s": ahead_s}))) == wrong


def test_a_stack_that_is_gone_has_no_clocks(tmp_path):
    """Reverting then has nothing to do, and nothing is active."""
    said = {"part": "it", "before": "+0\n", "after": "+300\n", "ahead_s": 300, "address": ["127.0.0.1", 1]}
    fault, undo = Clock(), Undo(kind="process.clock", data={**said, "file": str(tmp_path / "gone")})
    fault.revert(undo)
    assert fault.active(undo) is False


def test_what_somebody_else_wrote_is_left(tmp_path):
    """Only what this fault wrote is taken back."""
    file = tmp_path / "clock"
    undo = Undo(kind="process.clock", data={"file": str(file), "before": "+0\n", "after": "+300\n"})
    for there, left in (("+300\n", "+0\n"), ("+7\n", "+7\n"), ("+0\n", "+0\n")):
        file.write_text(there)
        Clock().revert(undo)
        assert file.read_text() == left


@pytest.mark.parametrize(
    ("dated", "off_s"), [("Sat, 01 Jan 2000 00:00:00 GMT", -1e8), ("yesterday", None), (None, None)]
)
def test_an_answer_without_a_good_date_is_no_measurement(dated, off_s):
    """It is said, and never taken for a clock that is right."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(200)
            if dated:
                self.send_header("Date", dated)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        if off_s is None:
            with pytest.raises(FaultError, match="Date"):
                offset_s("127.0.0.1", server.server_port)
        else:
            assert offset_s("127.0.0.1", server.server_port) < off_s


def test_who_does_not_answer_cannot_be_asked():
    """A refused connection is no time of day."""
    with pytest.raises(FaultError, match="cannot be asked"):
        offset_s("127.0.0.1", 1)
