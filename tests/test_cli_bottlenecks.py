"""The command `resilience bottlenecks`."""

import json
from pathlib import Path

from click.testing import CliRunner

from resilience.cli import main

RECORD = Path(__file__).parent.parent / "fixtures" / "records" / "redis-failure-lost-writes"


def test_a_record_of_before_there_were_resources_is_told_what_can_be():
    """As text and as JSON; nothing is written."""
    before = sorted(path.name for path in RECORD.iterdir())
    told = CliRunner().invoke(main, ["bottlenecks", str(RECORD), "--json"])
    assert told.exit_code == 0, told.output
    assert {"bottlenecks", "anomalies"} == json.loads(told.output).keys()
    assert CliRunner().invoke(main, ["bottlenecks", str(RECORD)]).output.strip()
    assert sorted(path.name for path in RECORD.iterdir()) == before


def test_what_is_no_run_is_refused(tmp_path):
    """Exit 3, with what was expected."""
    told = CliRunner().invoke(main, ["bottlenecks", str(tmp_path)])
    assert told.exit_code == 3
