"""The tests' own service, and looking for what a stack may have left behind."""

from pathlib import Path

from resilience.model import Service
from resilience.stack import settle as settling

HERE = Path(__file__).parent


def plain_service(mode="", **settings):
    """The tests' own service; `mode` makes it misbehave."""
    return Service(
        command=("python", str(HERE / "plain_service.py")), environment={"MODE": mode} if mode else {}, **settings
    )


def remains(data):
    """What is left of a stack: processes, and its folder."""
    folder = Path(data["folder"])
    found = [f"process {one.pid}" for one in settling._processes(folder, data["tag"])]
    return found + ([str(folder)] if folder.exists() else [])


def segments_of(pids):
    """System V shared memory made by these processes."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [row for row in rows if int(row[4]) in pids]
