"""What this machine can offer: measured by the load process itself, and kept for a day. Requirement L11."""

import dataclasses
import json
import os
import time

import pytest

from resilience.load.drivers import calibration as module
from resilience.load.drivers.calibration import FILE, MAX_AGE_S, RATE_PER_S, Calibration, calibration, measure


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder in which nothing is kept yet, and a way to count measurements."""
    monkeypatch.setenv("RESILIENCE_CACHE", str(tmp_path))
    made = []

    def pretend() -> Calibration:
        made.append(None)
        return Calibration(
            per_worker_s=float(len(made)),
            cores=2,
            lag_p50_s=0.0,
            lag_p99_s=0.0,
            offered_per_s=1.0,
            machine=module._machine(),
            at=time.time(),
        )

    monkeypatch.setattr(module, "measure", pretend)
    return tmp_path / FILE, made


def test_it_is_measured_by_offering_a_load():
    """Nearly all that was planned was offered, and the figure is what the processor time allows; nothing is left."""
    found = measure()
    assert 0.9 * RATE_PER_S <= found.offered_per_s <= 1.1 * RATE_PER_S
    assert 200.0 < found.per_worker_s < 1e6
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.machine_per_s == found.per_worker_s * found.cores
    assert 0.0 <= found.lag_p50_s <= found.lag_p99_s


def test_it_is_kept_for_this_machine_and_version(kept):
    """Asked again within a day nothing is measured; unless that is asked for."""
    path, made = kept
    assert calibration() == calibration()
    assert len(made) == 1
    assert json.loads(path.read_text())["per_worker_s"] == 1.0
    assert calibration(again=True).per_worker_s == 2.0
    assert calibration().per_worker_s == 2.0


@pytest.mark.parametrize("change", [{"at": -MAX_AGE_S - 1}, {"at": 3600.0}, {"machine": "another"}])
def test_what_is_old_or_of_another_machine_is_measured_again(kept, change):
    """Also what claims to be of tomorrow."""
    path, made = kept
    first = calibration()
    if "at" in change:
        change = {"at": time.time() + change["at"]}
    path.write_text(json.dumps(dataclasses.asdict(dataclasses.replace(first, **change))))
    calibration()
    assert len(made) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"per_worker_s": 1.0}', "null"])
def test_what_cannot_be_read_is_measured_again(kept, content):
    """A damaged file is no reason not to run."""
    path, made = kept
    path.write_text(content)
    assert calibration().per_worker_s == 1.0
    assert len(made) == 1
