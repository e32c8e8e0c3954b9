"""A target that looks like production is refused until somebody who starts the run names it. Requirement F7."""

import pytest
import yaml

from resilience.ctk.consent import require_consent
from resilience.errors import EnvironmentNotReady
from resilience.spec.parse import parse
from tests.program import Program, own_block, short


def named(target: str) -> dict:
    """An experiment on a target of that name, that no machine could run: it would be refused right after."""
    document = short("redis-down")
    own_block(document)["target"] = target
    own_block(document)["stack"] = {"use": "kubernetes"}
    return document


def test_refused_before_anything(program: Program):
    """Exit 4 with the name, what it matches and what to say; no record, no state."""
    done = program.chaos("run", program.write(named("shop-prod")))
    assert done.code == 4
    assert "'shop-prod' looks like production (it matches 'prod')" in done.err
    assert "--consent shop-prod" in done.err
    assert not program.runs.exists()
    assert not program.state.exists()


@pytest.mark.parametrize("consent", ["shop-prod", "other"])
def test_consent_on_the_command_line(program: Program, consent: str):
    """The very name lets it through to the next question; any other does not."""
    done = program.resilience("run", program.write(named("shop-prod")), "--consent", consent)
    assert done.code == 4
    assert ("looks like production" in done.err) is (consent == "other")


def test_patterns_and_consent_of_the_environment(monkeypatch):
    """`RESILIENCE_PRODUCTION` adds patterns, `RESILIENCE_CONSENT` names what is meant; what was consented is known."""
    document = named("shop-emea")
    experiment = parse(yaml.safe_dump(document).encode(), "x.yaml", "/x")
    assert require_consent(experiment, ()) == ()
    monkeypatch.setenv("RESILIENCE_PRODUCTION", "canary, emea")
    with pytest.raises(EnvironmentNotReady, match="matches 'emea'"):
        require_consent(experiment, ())
    monkeypatch.setenv("RESILIENCE_CONSENT", "something,shop-emea")
    with pytest.raises(EnvironmentNotReady, match="data:shop-emea"):
        require_consent(experiment, ())
    monkeypatch.setenv("RESILIENCE_CONSENT", "something,shop-emea,data:shop-emea")
    assert require_consent(experiment, ()) == ("shop-emea", "data:shop-emea")


def test_test_data_needs_a_consent_of_its_own(program: Program):
    """Requirement L4: consent to touching it is none to writing there; refused, and nothing was touched."""
    file = program.write(named("shop-prod"))
    done = program.resilience("run", file, "--consent", "shop-prod")
    assert done.code == 4
    assert "'shop-prod' would get test data from place-order" in done.err
    assert "--consent data:shop-prod" in done.err
    assert not program.runs.exists()
    assert not program.state.exists()
    done = program.resilience("run", file, "--consent", "shop-prod", "--consent", "data:shop-prod")
    assert "would get test data" not in done.err  # the next question: there is no such stack here
    assert done.code == 4


def test_the_file_cannot_give_consent(program: Program):
    """There is no key for it."""
    document = named("shop-prod")
    own_block(document)["safety"] = {"consent": ["shop-prod"]}
    done = program.chaos("run", program.write(document))
    assert done.code == 3
    assert "the key 'consent' is not known here" in done.err
