"""Jobs and streamed answers in the file: read as written, and refused with everything that does not fit."""

import pytest

from resilience.model import Job, StreamedAnswer
from resilience.spec.parse import parse
from tests.spec.changing import changed, problems

POST = {"method": "POST", "path": "/jobs", "json": {"key": "${key}"}}
JOB = {
    "name": "work",
    "weight": 1,
    "request": POST,
    "expect": {"status": [202]},
    "timeout": "1m",
    "job": {"poll": "/jobs/${job_id}", "interval": "200ms", "backoff": 1.5, "done": ["done"], "queued": ["queued"]},
}
CHAT = {"name": "chat", "weight": 1, "request": POST, "stream": {"token": "text", "end": ""}}


def given(job=None, chat=None, **more) -> bytes:
    """The shipped experiment with a job and a chat, each with changes."""
    operations = {"OWN.load.operations[3]": JOB | (job or {}), "OWN.load.operations[4]": CHAT | (chat or {})}
    return changed(operations | more)


def of_job(**changes) -> dict:
    """Changes to the block `job`."""
    return {"job": {"job": JOB["job"] | changes}}


def test_they_are_read_as_written():
    """Requirement L8: every key arrives; what is left out is as the model has it."""
    objectives = [{"expression": f"{what}:p(95)<500 @ fault"} for what in ("ttft", "queue", "processing", "tokens")]
    experiment = parse(given(**{"OWN.objectives": objectives}), "x.json", "/somewhere")
    job, chat = experiment.load.operations[-2:]
    assert job.job == Job(poll="/jobs/${job_id}", interval_s=0.2, backoff=1.5, done=("done",), queued=("queued",))
    assert chat.stream == StreamedAnswer(token="text", end="")
    assert (job.protocol, chat.protocol) == ("job", "stream")
    assert [one.measure for one in experiment.objectives] == ["ttft", "queue", "processing", "tokens"]


@pytest.mark.parametrize(
    ("content", "path", "told"),
    [
        (given(job={"stream": {}}), "load.operations[3].stream", "keep job or stream"),
        (given(job={"role": "read-back"}), "load.operations[3].job", "means nothing for a read-back"),
        (given(chat={"request": POST | {"method": "HEAD"}}), "load.operations[4].request.method", "HEAD has no answer"),
        (
            given(chat={"expect": {"json": {"id": "1"}}}),
            "load.operations[4].expect.json",
            "text (all of it) and tokens",
        ),
        (given(chat={"stream": {"on": "model"}}), "load.operations[4].stream.on", "no program 'model' that listens"),
        (given(chat={"request": {}}), "load.operations[4].request", "nothing says what is sent"),
        (given(**of_job(events="/e")), "load.operations[3].job.events", "keep poll or events"),
        (given(**of_job(poll="/jobs/${id}")), "load.operations[3].job.poll", "it may hold ${job_id}, ${key}"),
        (given(**of_job(failed=["done"])), "load.operations[3].job.failed[0]", "'done' is one of done already"),
        (given(job={"timeout": "200ms"}), "load.operations[3].job.interval", "lengthen timeout"),
        (given(**of_job(backoff=0.5)), "load.operations[3].job.backoff", "at least 1"),
        (
            changed({"OWN.objectives[0]": {"expression": "ttft:p(95)<5 @ fault"}}),
            "objectives[0]",
            "no operation that it is about has a stream",
        ),
        (
            given(**{"OWN.objectives[0]": {"expression": "queue:p(95)<5 @ fault", "operation": "chat"}}),
            "objectives[0]",
            "no operation that it is about has a job",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(content, path, told):
    """Requirement E2: the path, and what to do."""
    found = {problem.where: str(problem) for problem in problems(content)}
    assert told in found[f"extensions[0].{path}"]
