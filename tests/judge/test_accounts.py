"""Accounts of the ledger in a verdict: the worst of them decides, and what is not known is not passed."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.columns import AccountBook, EffectLines
from resilience.judge.accounts import check_early, judge_accounts, whole
from resilience.judge.verdict import judge
from resilience.judge.writes import check_baseline, check_writes
from resilience.model import Account, Answer, Effect
from resilience.model import Truth as TruthSpec
from tests.judge.builder import A, K, Scene, honest, ledger_lines, steady_ledger, truth_rows

STOCK = Account(name="stock", effect=Effect.COUNTER, truth=TruthSpec(query="SELECT 1", part="postgres"), objects=4)


def lines(rows, problems=()):
    """A ledger in which every entry adds one to the object of its writer."""
    plain = ledger_lines(rows, problems)
    columns = {name: getattr(plain, name) for name in ("writer", "epoch", "seq", "mark", "status", "at_ns")}
    size, number = len(plain), plain.writer.astype(np.int64)
    nothing = np.zeros(size, np.int64)
    return EffectLines(**columns, problems=problems, object=number, other=nothing, value=nothing + 1)


def held(values, **more):
    """What the store holds of the four objects."""
    return truth_rows([(0, 0, number) for number in range(len(values))], positions=values, **more)


ROWS = steady_ledger()
GOOD = AccountBook("stock", lines(ROWS), held([200] * 4))


def record(book=GOOD, scene: Scene | None = None, accounts=(STOCK,)):
    """A good run with an account."""
    made = (scene or honest()).record()
    return replace(
        made, experiment=replace(made.experiment, accounts=accounts), accounts=() if book is None else (book,)
    )


def part(made):
    """The part of the writes."""
    verdict = judge(made)
    return next(one for one in verdict.parts if one.name == "writes"), verdict.document


def test_a_good_account_passes_beside_the_ledger():
    """Requirement J4: both are told, and the figures of each stand under its name."""
    found, document = part(record())
    assert found.answer is Answer.PASS
    assert "0 of 800 acknowledged writes were lost" in found.because
    assert "account stock (counter): all of 800 acknowledged writes are accounted for" in found.because
    assert document["writes"]["verified"] == 800
    (stock,) = document["accounts"]
    assert (stock["verified"], stock["under_applied"], stock["answer"]) == (4, 0, "pass")


def test_one_bad_account_fails_the_writes():
    """However good everything else is; and what is off is named."""
    found, document = part(record(replace(GOOD, truth=held([200, 199, 200, 200]))))
    assert found.answer is Answer.FAIL
    assert found.because.startswith("account stock (counter): 1 counter is below what was acknowledged")
    assert any("object 1 holds 199, at least 200" in str(line) for line in found.evidence)
    assert document["accounts"][0]["under_applied"] == 1


def test_an_account_alone_is_enough():
    """Without `ledger` the part is that of the accounts."""
    alone = record(scene=honest(ledger=None, lines=None, truth=None))
    found, document = part(alone)
    assert (found.answer, document["writes"]) == (Answer.PASS, None)
    assert found.because == "account stock (counter): all of 800 acknowledged writes are accounted for"


@pytest.mark.parametrize(
    ("book", "says"),
    [
        (None, "there is no ledger of it"),
        (replace(GOOD, truth=None), "could not be read"),
        (replace(GOOD, truth=held([])), "an empty read is no proof"),
        (replace(GOOD, lines=lines(ROWS, ("writes/stock/load.ledger is not sealed",))), "is not sealed"),
        (replace(GOOD, lines=lines([row for row in ROWS if row[3] is A])), "yet the writer went on"),
        (replace(GOOD, lines=lines(ROWS[:100]), truth=held([13, 13, 12, 12])), "only 50 writes"),
        (replace(GOOD, truth=held([200] * 4, facts={"in_recovery": "true"})), "recovery"),
        (replace(GOOD, truth=held([200] * 4, facts={"fsync": "off"})), "fsync"),
        (replace(GOOD, truth=held([150, 150, 150, 150], read_ns=1)), "acknowledged after the truth was read"),
    ],
)
def test_what_is_not_known_is_not_passed(book, says):
    """Whatever keeps the counts from meaning something makes the answer unknown."""
    found, _ = part(record(book))
    assert found.answer is Answer.UNKNOWN
    assert says in found.because


def test_acknowledged_writes_without_a_truth_are_unverified():
    """They are counted as that, and not as lost."""
    _, document = part(record(replace(GOOD, truth=None)))
    assert document["accounts"][0]["unverified"] == 800
    assert "under_applied" not in document["accounts"][0]


def test_accounts_are_matched_by_name():
    """A book of another name is none of this account."""
    verdicts = judge_accounts(_case(record(replace(GOOD, name="other"))))
    assert [one.answer for one in verdicts] == [Answer.UNKNOWN]


def _case(made):
    from resilience.judge.case import prepare  # noqa: PLC0415 - of this helper alone

    return prepare(made)


def test_before_the_method_something_must_have_been_written():
    """The baseline asks every account for an acknowledged write, and for a ledger that can be believed."""
    assert check_early(_case(record()))[0] is Answer.PASS
    empty = replace(GOOD, lines=lines([row for row in ROWS if row[3] is not K]))
    for book in (None, empty, replace(GOOD, lines=lines([*ROWS, ROWS[0]]))):
        case = _case(record(book))
        assert check_early(case)[0] is Answer.UNKNOWN
        assert check_baseline(case).answer is Answer.UNKNOWN
    assert check_baseline(_case(record())).answer is Answer.PASS


def test_a_truth_brought_into_memory_is_the_same():
    """Every field is kept."""
    truth = replace(held([1, 2]), before={"a": "b"}, late=3)
    assert repr(whole(truth)) == repr(truth)
    assert check_writes(_case(record())).answer is Answer.PASS
