"""What an experiment needs of its stack is known where ports meet their implementations; here of one that is kept."""

import pytest

from resilience.ctk.run import load_file
from resilience.ctk.wiring import collaborators
from resilience.errors import EnvironmentNotReady
from resilience.faults import registry
from tests.program import Program, short


def test_faults_of_a_protocol_on_a_kept_stack(program: Program, monkeypatch: pytest.MonkeyPatch):
    """`up --file` starts the proxy that the file needs; the record says which it is (Requirements F3, F7).

    A file that needs it before another part, too, is refused before anything is touched.
    """
    document = short("redis-down")
    step = document["method"][0]["provider"]["arguments"]
    step |= {"kind": "protocol.redis-error", "part": "redis"}
    path = program.write(document)
    step |= {"kind": "protocol.delay", "part": "postgres"}
    other = program.write(document, "other.yaml")
    monkeypatch.setenv("RESILIENCE_STATE", str(program.state))
    try:
        up = program.resilience("up", "--file", path)
        assert up.code == 0, up.out + up.err
        experiment = load_file(program.folder / path)
        stack = collaborators(experiment, "test", ()).stack
        stack.start()
        assert stack.found["wire"].endswith("own proxy, before redis")  # the session puts it into the record's header
        place = stack.places()["redis"]
        [spec] = experiment.faults
        assert registry.fits(spec, place) == ()
        fault = registry.build(spec, place)
        undo = fault.prepare()
        fault.inject(undo)
        try:
            assert fault.active(undo), fault.proof
        finally:
            fault.revert(undo)
        assert not fault.active(undo), fault.proof
        stack.stop()
        with pytest.raises(EnvironmentNotReady, match="no protocol proxy before postgres"):
            collaborators(load_file(program.folder / other), "test", ()).stack.start()
        assert program.resilience("status").code == 0
    finally:
        program.resilience("down")
