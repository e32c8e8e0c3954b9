"""Every history in `fixtures/histories` gets the verdict that it must get, part by part."""

import json
from collections.abc import Mapping, Sequence

import pytest

from fixtures.histories import PARTS, load_all
from resilience.judge.verdict import judge

HISTORIES = {history.name: history for history in load_all()}


def figure(document, path):
    """What stands at a dotted path of the document."""
    found = document
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found[step]
        else:
            assert isinstance(found, Sequence), path
            found = found[int(step)]
    return found


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_gets_its_verdict(name):
    """Requirements J1 to J5: the answer, the answer and reason of every part, and the figures where they are exact."""
    history = HISTORIES[name]
    verdict = judge(history.record)
    seen = {part.name: part for part in verdict.parts}
    told = {part: f"{seen[part].answer.value}: {seen[part].because} {seen[part].evidence}" for part in PARTS}
    for part in PARTS:
        wanted = history.expect.parts[part]
        assert seen[part].answer is wanted.answer, f"{part}: {told[part]}"
        assert wanted.because in seen[part].because, f"{part}: {told[part]}"
    assert verdict.answer is history.expect.answer, verdict.because
    document = json.loads(json.dumps(verdict.document, allow_nan=False))
    for path, value in history.expect.figures.items():
        if isinstance(value, tuple):
            assert figure(document, path) == pytest.approx(value[0], abs=value[1]), path
        else:
            assert figure(document, path) == value, path
