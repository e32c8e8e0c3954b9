"""The header of a record says which run it is, by what it was made, and what its record promises to hold."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from resilience.runtime.header import VERSIONS, header_of
from tests.judge.builder import honest


def header(driver="locust", **more):
    scene = honest()
    experiment = scene.experiment()
    experiment = replace(experiment, load=replace(experiment.load, driver=driver))
    stack = SimpleNamespace(name="embedded", found={"redis": "7.0 (from PATH)"})
    collaborators = SimpleNamespace(stack=stack, header=more)
    return header_of(experiment, scene.record().plan, collaborators, 7)


def test_a_header_names_run_file_and_versions():
    """What else is known where things are wired stands beside it."""
    plan, experiment = honest().record().plan, honest().experiment()
    found = header(consent=["prod"])
    assert (found["run"], found["seed"], found["zero_ns"]) == (plan.run, plan.seed, 7)
    assert (found["experiment"], found["digest"], found["stack"]) == (experiment.name, experiment.digest, "embedded")
    assert set(found["versions"]) == {"python", "redis", *VERSIONS}
    assert found["consent"] == ["prod"]


@pytest.mark.parametrize(("driver", "promises"), [("locust", ["self_check"]), ("k6", []), ("artillery", [])])
def test_only_our_own_clients_promise_to_be_tried(driver, promises):
    """What the judge then expects; the programs of others cannot be tried."""
    assert header(driver)["promises"] == promises
