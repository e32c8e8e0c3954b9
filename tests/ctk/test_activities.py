"""What chaostoolkit was told by activities is told to the session where it cannot be believed. No stack, no load."""

import pytest

from resilience.ctk.run import ActivityWatch


class Asked:
    """A session that answers what it is told to."""

    def __init__(self):
        self.answered = []
        self.problems = []

    def problem(self, source, message):
        """Keep it."""
        self.problems.append((source, message))


def played(asked, output, *answers, module="resilience.ctk.probes", **run):
    activity = {"name": "nothing was lost", "type": "probe", "provider": {"type": "python", "module": module}}
    watch = ActivityWatch(asked)
    watch.start_activity(activity)
    asked.answered += answers
    watch.activity_completed(activity, {"status": "succeeded", "output": output, **run})
    return asked.problems


@pytest.mark.parametrize("answer", [True, False])
def test_a_probe_that_says_what_it_was_told_is_believed(answer):
    """Whether that is well or not: the verdict says so anyway."""
    assert played(Asked(), answer, answer) == []


def test_a_probe_that_is_true_and_asked_nobody_is_a_problem():
    """It lets a run go on that should not, and proves nothing. What others asked before does not count for it."""
    asked = Asked()
    asked.answered += [True]
    assert played(asked, output=True) == [("hypothesis", "probe 'nothing was lost' said True and asked nobody")]


@pytest.mark.parametrize("said", [True, None, "true", 1])
def test_a_probe_that_says_something_else_than_it_was_told_is_a_problem(said):
    """The answer was that it is not well."""
    ((source, message),) = played(Asked(), said, *[False])
    assert source == "hypothesis"
    assert "the answer that it was given is False" in message


def test_probes_of_others_may_ask_whom_they_like():
    """We answer for ours alone."""
    assert played(Asked(), output=True, module="chaosk8s.probes") == []


def test_an_activity_that_raised_is_a_problem_of_the_method():
    """What chaostoolkit calls failed is one that raised; a probe that did so has said nothing."""
    ((source, message),) = played(Asked(), None, status="failed", exception=["Traceback", "ValueError: 7\n"])
    assert (source, message) == ("method", "activity 'nothing was lost' failed: ValueError: 7")
