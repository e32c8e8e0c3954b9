"""The JSON documents of a run folder."""

import json

import pytest

from resilience.errors import RecordError
from resilience.model import Answer, Verdict
from resilience.record.documents import (
    load_document,
    load_experiment,
    load_plan,
    load_verdict,
    save_document,
    save_experiment,
    save_plan,
    save_verdict,
)
from resilience.record.redact import Redactor


def test_experiment_and_plan_read_back(tmp_path, experiment, plan):
    """A run can be judged again from what is in its folder alone."""
    save_experiment(tmp_path, experiment)
    save_plan(tmp_path, plan)
    assert load_experiment(tmp_path) == experiment
    assert load_plan(tmp_path) == plan
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiment.json", "plan.json"]


def test_a_record_from_before_faults_could_be_repeated_is_read(tmp_path, experiment, plan):
    """Keys that came later have defaults: what was recorded without them is the same fault, once, held."""
    save_experiment(tmp_path, experiment)
    save_plan(tmp_path, plan)
    old = json.loads((tmp_path / "experiment.json").read_text())
    kept = {"name", "kind", "on", "duration_s", "settings", "phase"}
    old["steps"] = [{key: value for key, value in step.items() if key in kept} for step in old["steps"]]
    del old["safety"]["data_removal"]
    (tmp_path / "experiment.json").write_text(json.dumps(old))
    bare = json.loads((tmp_path / "plan.json").read_text())
    del bare["parts"]
    for phase in bare["phases"]:
        del phase["called"]
    (tmp_path / "plan.json").write_text(json.dumps(bare))
    assert load_experiment(tmp_path) == experiment
    assert load_plan(tmp_path).phases == plan.phases


def test_verdict_is_its_document(tmp_path):
    """`verdict.json` is exactly the verdict's document."""
    document = {"answer": "pass", "because": "0 of 10 lost"}
    save_verdict(tmp_path, Verdict(Answer.PASS, "0 of 10 lost", (), document))
    assert json.loads((tmp_path / "verdict.json").read_text()) == document
    assert load_verdict(tmp_path) == document


def test_secrets_are_not_written(tmp_path, experiment):
    """A password that an experiment holds in its headers or its chaostoolkit part is not in the record."""
    secret = "correct-horse"
    redactor = Redactor([secret, "Redis fails"])
    save_experiment(tmp_path, experiment, redactor)
    save_document(tmp_path / "journal.json", {"log": [f"Bearer {secret}"]}, redactor)
    assert "Redis fails" not in (tmp_path / "experiment.json").read_text()
    assert secret not in (tmp_path / "journal.json").read_text()


@pytest.mark.parametrize("document", [float("nan"), {"a": float("inf")}, {"a": object()}])
def test_what_json_does_not_know_is_refused(tmp_path, document):
    """A figure that is none is an error where it is written, and leaves no half file."""
    with pytest.raises(RecordError, match="cannot be written"):
        save_document(tmp_path / "x.json", document)
    assert list(tmp_path.iterdir()) == []


def test_wrong_documents_name_the_file(tmp_path, plan):
    """Every problem of a wrong document says in which file and where in it."""
    save_plan(tmp_path, plan)
    document = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**document, "seed": "x", "arrivals": None}))
    with pytest.raises(RecordError) as caught:
        load_plan(tmp_path)
    assert [problem.where for problem in caught.value.problems] == [
        f"{tmp_path / 'plan.json'}: Plan.seed",
        f"{tmp_path / 'plan.json'}: Plan.arrivals",
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_broken_json_is_an_error(tmp_path, content):
    """Whatever stands in the file, the error names it."""
    (tmp_path / "verdict.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"verdict\.json: cannot be read"):
        load_document(tmp_path / "verdict.json")


def test_verdict_must_be_an_object(tmp_path):
    """JSON that is no verdict is not taken for one."""
    (tmp_path / "verdict.json").write_text("[]")
    with pytest.raises(RecordError, match="an object was expected"):
        load_verdict(tmp_path)
