"""The run record: the files that other programs read, each readable with what it is said to be readable with."""

import json
import re

import pyarrow.dataset as ds
import pytest

from resilience.codec import decode
from resilience.model import EventKind, Experiment, Plan
from tests.healthy import Healthy

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(240)]


def test_files(healthy: Healthy):
    """Everything that the contract names is there, and `latest` points at it."""
    there = {path.name for path in healthy.record.iterdir()}
    named = {"experiment.json", "plan.json", "events.jsonl", "samples", "writes", "journal.json", "verdict.json"}
    assert named | {"report.html"} <= there
    assert (healthy.program.runs / "latest").resolve() == healthy.record
    assert re.fullmatch(r"\d{8}T\d{6}Z-short", healthy.record.name)
    assert healthy.record.stat().st_mode & 0o077 == 0, "only its owner reads it"


def test_documents(healthy: Healthy):
    """Experiment and plan can be read back as what they were; the journal is chaostoolkit's."""
    experiment = decode(Experiment, healthy.json("experiment.json"))
    assert [fault.name for fault in experiment.faults] == ["redis-down", "redis-hung", "service-killed"]
    assert decode(Plan, healthy.json("plan.json")).seed == 7
    journal = healthy.json("journal.json")
    assert journal["status"] == "completed"
    assert journal["deviated"] is False
    assert [run["status"] for run in journal["run"]] == ["succeeded"] * 7


def test_events(healthy: Healthy):
    """JSON lines: header first, footer last with the number of lines before it, instants that never go back."""
    events = [json.loads(line) for line in (healthy.record / "events.jsonl").read_text().splitlines()]
    assert (events[0]["kind"], events[-1]["kind"]) == ("header", "footer")
    assert events[-1]["detail"]["events"] == len(events) - 1
    assert {event["kind"] for event in events} <= {kind.value for kind in EventKind}
    instants = [event["at_s"] for event in events]
    assert instants == sorted(instants)
    assert all(
        detail["detail"].get("proof") for detail in events if detail["kind"] in {"fault-confirmed", "fault-clear"}
    )


def test_samples(healthy: Healthy):
    """One row for every operation, in Parquet that is read by naming the folder, as users do first."""
    rows = ds.dataset(healthy.record / "samples", format="parquet").count_rows()
    counted = sum(phase["operations"]["all"]["count"] for phase in healthy.json("verdict.json")["phases"])
    assert rows >= counted > 6000


def test_resources(healthy: Healthy):
    """Requirement M2: what every run reads beside it without being asked, as Parquet, and in the verdict."""
    rows = ds.dataset(healthy.record / "resources" / "series", format="parquet").to_table().to_pylist()
    read = {(row["name"], row["of"]) for row in rows}
    assert {
        ("host.cpu", "host"),
        ("process.cpu", "service"),
        ("process.memory", "postgres"),
        ("postgres.connections", "postgres"),
        ("redis.memory.used", "redis"),
        ("toxiproxy.toxics", "toxiproxy"),
    } <= read
    told = healthy.json("verdict.json")["resources"]
    assert {("process.cpu", "service"), ("redis.hit_ratio", "redis")} <= {
        (one["name"], one["of"]) for one in told["series"]
    }


def test_report_needs_no_network(healthy: Healthy):
    """The report is one file that loads nothing from anywhere and has the verdict's sentence."""
    text = (healthy.record / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text)
    assert "service-killed" in text
