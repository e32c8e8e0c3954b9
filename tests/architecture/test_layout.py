"""The layout keeps its promises: tests mirror the source, modules stay small, the map of modules is complete."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "resilience"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
NAMES = [str(path.relative_to(SOURCE)) for path in MODULES]

LONGEST = 400
"""Lines of a module; those in `LONGER` have a reason."""

TESTED_ELSEWHERE = {
    "judge/gates.py": "judge/test_writes.py",  # what was part of that module, and is asked for accounts too
    "cli_safety.py": "test_cli.py",  # commands of the same program
    "cli_workers.py": "load/workers/test_runners.py",  # a worker as a person starts it
    "load/carry.py": "load/drivers/test_locust.py",  # the whole load process
    "load/pipes.py": "load/drivers/test_locust.py",  # as above
    "load/events.py": "load/test_streams.py",  # as operations use it
    "load/calls.py": "load/test_jobs.py",  # protocols, and no behaviour
    "load/operate.py": "load/test_engine.py",  # one operation, as the engine carries it out
    "load/kinds.py": "load/test_engine.py",  # as above
    "load/walks.py": "load/test_engine.py",  # as above
    "spec/keys_jobs.py": "spec/test_lasting.py",  # as they are read
    "spec/live.py": "spec/test_k6.py",  # objectives that may end a run
    "load/echo.py": "load/drivers/test_calibration.py",  # what it is there for
    "load/published.py": "load/test_subscribers.py",  # who is given what was published
    "load/listening.py": "load/test_subscribers.py",  # how they take it
    "load/subscriptions.py": "ctk/test_delivered.py",  # all of them, in whole runs
    "spec/keys_websocket.py": "spec/test_subscriptions.py",  # as they are read
    "load/workers/member.py": "load/workers/test_master.py",  # what a master knows
    "spec/keys_workers.py": "spec/test_workers.py",  # as they are read
    "cli_search.py": "ctk/test_searching.py",  # its one command
    "cli_capacity.py": "ctk/test_searching.py",  # as above
    "ctk/steered.py": "ctk/test_searching.py",  # what both are made of
    "ctk/capacity.py": "ctk/test_searching.py",  # as above
    "drill/search/steps.py": "drill/search/test_conduct.py",  # steps as a search makes them
    "drill/search/levels.py": "drill/search/test_conduct.py",  # as above
    "judge/search/told.py": "judge/search/test_checks.py",  # marks, written and read there
    "judge/search/parts.py": "judge/search/test_checks.py",  # verdicts with those parts
    "model/searches.py": "judge/search/test_step.py",  # values, and which objectives are about a share
    "runtime/steering.py": "ctk/test_searching.py",  # a whole session that is steered
    "spec/keys_search.py": "spec/test_searches.py",  # as they are read
    "cli_shorten.py": "spec/test_shorten.py",  # its one command
    "cli_stack.py": "test_cli.py",  # a stack that is kept, with everything else of it
    "columns.py": "judge/test_phases.py",  # arrays and no behaviour but selecting
    "ctk/actions.py": "ctk/test_run.py",  # its functions are what a run is made of
    "ctk/current.py": "ctk/test_run.py",  # as above
    "ctk/probes.py": "ctk/test_run.py",  # as above
    "observe/removal_redis.py": "ctk/test_clean.py",  # as above
    "observe/removal.py": "ctk/test_clean.py",  # on real servers, as the command uses it
    "observe/asked.py": "observe/test_truth_function.py",  # what is asked there
    "observe/truth_postgres.py": "observe/test_truth.py",  # the truth of a real server
    "observe/copying.py": "observe/test_truth.py",  # all of it on a real server
    "drill/examples.py": "faults/test_contract.py",  # each is tried there
    "drill/found.py": "drill/test_matrix.py",  # what a broken target looks like
    "drill/runner.py": "test_reaper.py",  # what is struck there
    "drill/selftest/keeping.py": "drill/selftest/test_conduct.py",  # as it is written and read there
    "drill/selftest/machine.py": "drill/selftest/test_tables.py",  # what stands above the tables
    "errors.py": "contract/test_commands.py",  # exit codes
    "faults/kinds.py": "faults/test_registry.py",  # kinds as the registry uses them
    "faults/presence.py": "faults/test_redis.py",  # servers started again, and gone with their stack
    "provider/__main__.py": "provider/test_app.py",  # the program, started
    "faults/redis_server.py": "faults/test_redis.py",  # how a server is talked to, by faults that do
    "faults/redis_strikes.py": "faults/test_redis.py",  # on the same server
    "faults/holders/redis.py": "faults/test_redis_held.py",  # the process that holds them
    "faults/effects.py": "faults/test_toxics.py",  # what a fault is seen by
    "faults/holders/restart.py": "faults/test_process_stop.py",  # what it stops and starts is seen there
    "faults/holders/ballast.py": "faults/test_postgres_disk.py",  # what it fills is seen by the server
    "faults/holders/connections.py": "faults/test_postgres.py",  # what is held is seen at the server
    "faults/holders/deadlocks.py": "faults/test_postgres_locks.py",  # as above
    "faults/holders/locks.py": "faults/test_postgres_locks.py",  # as above
    "faults/holders/queries.py": "faults/test_postgres.py",  # as above
    "faults/holders/terminations.py": "faults/test_postgres.py",  # as above
    "faults/postgres_held.py": "faults/test_postgres.py",  # the kinds that are built on it
    "faults/postgres_server.py": "faults/test_postgres.py",  # what all kinds ask the server
    "faults/cluster.py": "faults/test_kubernetes.py",  # the client, against an API in memory
    "faults/cluster_objects.py": "faults/test_kubernetes.py",  # as above
    "faults/kubernetes_network.py": "faults/test_kubernetes.py",  # as above
    "faults/kubernetes_pods.py": "faults/test_kubernetes.py",  # as above
    "faults/container.py": "faults/test_docker.py",  # faults of it are tried on a real engine
    "faults/docker_limits.py": "faults/test_docker.py",  # as above
    "faults/engine.py": "faults/test_docker.py",  # what is asked of it is tried on a real engine
    "faults/lines.py": "faults/test_link_effects.py",  # what effects are measured with
    "faults/link.py": "faults/test_link_effects.py",  # as above
    "faults/toxic.py": "faults/test_link_effects.py",  # effects told from those of others
    "faults/toxiproxy.py": "faults/test_toxics.py",  # its client, on a real server
    "host/commands.py": "stack/test_programs.py",  # programs that work, fail and hang
    "faults/holders/leak.py": "faults/test_leak.py",  # the process of that fault
    "faults/holders/throttle.py": "faults/test_cpu.py",  # as above
    "host/disks.py": "faults/test_cgroup.py",  # the disk that is slowed down
    "faults/canary.py": "faults/test_network.py",  # what measures those faults
    "faults/packets.py": "faults/test_network.py",  # what those faults have in common
    "host/nftables.py": "faults/test_network.py",  # the tables of those faults
    "host/memory.py": "observe/test_truth.py",  # no answer depends on it, only how soon it comes
    "host/files.py": "runtime/test_debts.py",  # what is durable is a debt first of all
    "judge/case.py": "judge/test_phases.py",  # a record, prepared
    "judge/changes.py": "judge/test_recovery.py",  # edges of a cycle
    "judge/cycles.py": "judge/test_recovery.py",  # as above
    "judge/ramps.py": "judge/test_recovery.py",  # changes that take their time
    "judge/entries.py": "judge/test_writes.py",  # the fate of each entry
    "judge/signal.py": "judge/test_recovery.py",  # what recovery is read from
    "live/picture.py": "live/test_terminal.py",  # what the terminal shows
    "live/words.py": "live/test_terminal.py",  # as above
    "load/process.py": "load/drivers/test_locust.py",  # the process that the driver starts
    "load/scripts/process.py": "load/drivers/test_script.py",  # as above
    "ctk/drivers.py": "load/drivers/test_script.py",  # drivers, which whole runs choose by what it says
    "spec/keys_script.py": "spec/test_scripts.py",  # keys of a load by a script
    "model/basics.py": "test_codec.py",  # values; those with arithmetic are tested where it is used
    "model/data.py": "test_codec.py",  # as above
    "model/events.py": "test_codec.py",  # as above
    "model/experiment.py": "test_codec.py",  # as above
    "model/ledgers.py": "test_codec.py",  # as above
    "model/load.py": "test_codec.py",  # as above
    "model/operations.py": "test_codec.py",  # as above
    "model/orders.py": "test_codec.py",  # as above
    "model/profiles.py": "test_codec.py",  # as above
    "model/promises.py": "test_codec.py",  # as above
    "model/observing.py": "test_codec.py",  # as above
    "model/catalogue.py": "observe/test_catalogue.py",  # what readings and the reference page are made from
    "spec/keys_observe.py": "spec/test_observing.py",  # as they are read
    "observe/connections.py": "observe/test_calls.py",  # as those use them who count calls
    "observe/watcher.py": "observe/test_toxiproxy.py",  # what is asked by HTTP
    "ctk/observing.py": "ctk/test_run.py",  # resources beside whole runs
    "model/resources.py": "record/test_resources.py",  # as they are read back
    "model/safety.py": "test_codec.py",  # as above
    "model/samples.py": "test_codec.py",  # as above
    "model/stacks.py": "test_codec.py",  # as above
    "model/steps.py": "test_codec.py",  # as above
    "model/verdicts.py": "test_codec.py",  # as above
    "report/sections/degradation.py": "report/test_html.py",  # a part of the page
    "report/sections/events.py": "report/test_html.py",  # as above
    "report/sections/faults.py": "report/test_html.py",  # as above
    "report/sections/gaps.py": "report/test_html.py",  # its sentences are those of report/gaps.py
    "report/sections/objectives.py": "report/test_html.py",  # a part of the page
    "report/sections/phases.py": "report/test_html.py",  # as above
    "report/sections/recovery.py": "report/test_html.py",  # as above
    "report/sections/time.py": "report/test_html.py",  # as above
    "report/sections/writes.py": "report/test_html.py",  # as above
    "report/layout.py": "report/test_paper.py",  # what lays it out
    "report/pictures.py": "report/test_paper.py",  # its charts
    "report/axis.py": "report/test_html.py",  # phases and marks in its pictures
    "report/selection.py": "report/test_export.py",  # what is exported
    "cli_report.py": "report/test_command.py",  # its one command
    "report/material.py": "report/test_html.py",  # what a page is made from
    "report/markup.py": "report/test_html.py",  # templates, with hostile texts
    "judge/regression/measured.py": "judge/regression/test_part.py",  # what a part compares
    "ctk/baselines.py": "test_cli_compare.py",  # as commands use them
    "report/compared.py": "report/test_comparison.py",  # the same as Markdown
    "report/trends.py": "report/test_comparison.py",  # histories in the terminal
    "report/sections/bottlenecks.py": "report/test_bottlenecks.py",  # a part of the page
    "report/sections/soak.py": "report/sections/test_promised.py",  # beside the other promises
    "report/sections/traces.py": "report/test_spans.py",  # with what it shows
    "report/otlp.py": "report/test_spans.py",  # what a collector is sent
    "judge/promises.py": "judge/test_verdict.py",  # which parts a verdict has
    "model/soak.py": "spec/test_soak.py",  # values, as they are read
    "model/serving.py": "spec/test_serving.py",  # as above
    "spec/keys_soak.py": "spec/test_soak.py",  # as they are read
    "spec/keys_serving.py": "spec/test_serving.py",  # as above
    "report/sections/comparison.py": "report/test_comparison.py",  # a part of the page
    "report/sections/control.py": "report/test_comparison.py",  # as above
    "spec/keys_regression.py": "spec/test_control.py",  # as they are read
    "model/regression.py": "record/test_baseline.py",  # values, as they are read back
    "ports.py": "runtime/test_session.py",  # protocols; the fakes there keep them
    "record/gathered.py": "record/test_samples.py",  # what samples are read into
    "record/sealed.py": "record/test_ledger.py",  # what a reader of the ledger goes through
    "runtime/collaborators.py": "runtime/test_session.py",  # ports, all of them faked there
    "runtime/way.py": "runtime/test_session.py",  # parts with and without users
    "spec/chaos.py": "spec/test_schema.py",  # keys that chaostoolkit defines
    "spec/checks.py": "spec/test_parse.py",  # what does not fit together
    "spec/findings.py": "spec/test_parse.py",  # how problems are told
    "spec/keys.py": "spec/test_schema.py",  # our keys
    "spec/key.py": "spec/test_schema.py",  # what keys are made of
    "spec/keys_truth.py": "spec/test_schema.py",  # some of our keys
    "load/commands.py": "load/test_redis.py",  # what is sent and what comes back, on a real server
    "load/libpq.py": "load/test_postgres.py",  # connections and answers, on a real server
    "spec/keys_stores.py": "spec/test_stores.py",  # as they are read
    "spec/keys_load.py": "spec/test_levels.py",  # keys of levels, profiles and think times
    "spec/keys_mix.py": "spec/test_mixture.py",  # keys of test data; of journeys in test_journeys.py
    "spec/words.py": "spec/test_data.py",  # what test data is made of
    "load/flows.py": "load/test_engine.py",  # what the engine begins
    "load/captures.py": "load/test_journeys.py",  # values that a journey takes from answers
    "spec/method.py": "spec/test_parse.py",  # steps and modules
    "spec/shapes.py": "spec/test_schema.py",  # shapes of values
    "stack/health.py": "stack/test_embedded.py",  # servers that do not get well
    "stack/roster.py": "stack/test_embedded.py",  # parts that do not start are all reported
    "stack/starting.py": "stack/test_embedded.py",  # one attempt to start
    "faults/exchanges.py": "faults/test_protocol.py",  # what a fault is seen by
    "patterns.py": "wire/test_rules.py",  # as rules use them
    "wire/address.py": "wire/test_api.py",  # addresses, right and wrong, beside toxiproxy's
    "wire/body.py": "wire/test_api.py",  # JSON, right and wrong, beside toxiproxy's
    "wire/control.py": "wire/test_api.py",  # the server of the API
    "wire/errors.py": "wire/test_redis.py",  # what servers say
    "wire/link.py": "wire/test_proxy.py",  # traffic
    "wire/mind.py": "wire/test_redis.py",  # as Redis's mind uses it
    "wire/minds.py": "wire/test_redis.py",  # a table
    "wire/stages.py": "wire/test_proxy.py",  # toxics, beside toxiproxy's
}
"""Modules without a test file of their own, with where they are tested and why there."""


OF_NO_MODULE = {
    "test_histories.py",  # runs written out by hand, each with its verdict
    "test_simulator.py",  # runs drawn at random, each with its truth
    "test_contract.py",  # what every kind of fault keeps
    "test_machine.py",  # leases in any order, with deaths
    "test_link_effects.py",  # how strong what toxics do is, as a client measures it
    "test_crashes.py",  # runs that lose their terminal, disk, memory or a part of themselves
    "test_target_parts.py",  # faults of programs beside the service, and of copies
    "test_stopped.py",  # runs that are killed or stopped
    "test_delivered.py",  # subscribers, in whole runs
    "test_accessible.py",  # pages in a browser
    "test_command.py",  # `resilience report` as its user calls it
    "test_isolated.py",  # tenants who ask stores directly, in a whole run
    "test_script_runs.py",  # scripts of k6, in whole runs
    "test_together.py",  # strikes, groups and faults inside others, in one run
    "test_refused.py",  # what is refused before anything is touched
    "test_identity.py",  # the load that was offered, under every kind of fault
    "test_bottleneck.py",  # a real load process that is held up, judged
    "test_recovery_strength.py",  # failures that never end, weaker and weaker
    "test_writes_told.py",  # what is told of writes
    "test_wrong_values.py",  # what is told of each mistake in an experiment file
    "test_abort.py",  # conditions that end a run, as a file says them
    "test_recovery_told.py",  # what is told of recovery
    "test_taxonomy_extremes.py",  # classes of writes where numbers are large, far apart or equal
    "test_evidence.py",  # what a record says without one of its parts
    "test_oracle.py",  # the figures of a verdict, counted one by one
    "test_activities.py",  # what chaostoolkit was told by activities, where it cannot be believed
}
"""Tests of what several modules do together."""


@pytest.mark.parametrize("name", NAMES)
def test_every_module_has_its_test(name: str):
    """A module `a/b.py` has `tests/a/test_b.py`, or is named above with where it is tested instead."""
    path = Path(name)
    own = ROOT / "tests" / path.parent / f"test_{path.name}"
    elsewhere = TESTED_ELSEWHERE.get(name)
    if elsewhere is None:
        assert own.is_file(), f"write {own.relative_to(ROOT)}, or say in TESTED_ELSEWHERE where {name} is tested"
    else:
        assert not own.is_file(), f"{name} has a test of its own now: remove it from TESTED_ELSEWHERE"
        assert (ROOT / "tests" / elsewhere).is_file(), elsewhere


def test_no_test_is_without_its_module():
    """A test that mirrors a module which is no longer there mirrors nothing."""
    folders = {path.parent.relative_to(SOURCE) for path in MODULES}
    lost = [
        str(test.relative_to(ROOT))
        for folder in folders
        for test in sorted((ROOT / "tests" / folder).glob("test_*.py"))
        if not (SOURCE / folder / test.name.removeprefix("test_")).is_file() and str(test.name) not in OF_NO_MODULE
    ]
    assert lost == []


@pytest.mark.parametrize("name", NAMES)
def test_modules_stay_small(name: str):
    """A module has a docstring and at most that many lines."""
    text = (SOURCE / name).read_text()
    length = len(text.splitlines())
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring, f"{name} has no docstring"
    assert length <= LONGEST, f"{name} has {length} lines, at most {LONGEST} were expected"


@pytest.mark.parametrize("name", ["actions", "probes"])
def test_activities_can_be_discovered(name: str):
    """`__all__` names exactly the module's own public functions, with plain types: what `chaos discover` can show."""
    module = importlib.import_module(f"resilience.ctk.{name}")
    own = {
        function
        for function, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not function.startswith("_")
    }
    assert set(module.__all__) == own
    for function in own:
        for parameter in inspect.signature(getattr(module, function)).parameters.values():
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            assert parameter.annotation in {str, int, float, bool, dict, list}


def test_the_face_of_chaostoolkit_has_plain_types():
    """`from __future__ import annotations` would turn every type that `chaos discover` shows into "object"."""
    for path in (SOURCE / "ctk").glob("*.py"):
        assert "from __future__" not in path.read_text(), path


def test_the_map_is_complete():
    """docs/whats-here.md has one line for every module, and none for what is not there."""
    text = (ROOT / "docs" / "whats-here.md").read_text()
    named = re.findall(r"^- `src/resilience/([^`]+\.py)`", text, re.MULTILINE)
    assert sorted(set(named)) == sorted(named), "each once"
    mentioned = set(re.findall(r"`src/resilience/([^`]+\.py)`", text))
    assert {name for name in mentioned if not (SOURCE / name).is_file()} == set()
    assert set(NAMES) - mentioned == set()


def test_no_path_of_one_machine():
    """What is committed says nothing about the machine on which it was written."""
    kinds = {".py", ".md", ".yaml", ".toml", ".json", ".html", ".css", ".j2"}
    folders = ("src", "tests", "fixtures", "experiments", "docs", "changes", "scripts")
    found = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in kinds and re.search(r"/home/\w|/root/", path.read_text())
        if path != Path(__file__)
    ]
    assert found == []
