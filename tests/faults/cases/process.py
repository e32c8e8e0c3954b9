"""Faults of a process."""

from tests.faults.case import Case

CASES = {
    "process.pause": Case(),
    "process.kill": Case(),
    "process.stop": Case(),
    "process.restart": Case(),
}
