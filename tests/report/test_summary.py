"""The closing summary in the terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from resilience.model import Answer, Part
from resilience.report.summary import account_lines, print_summary


def printed(verdict, width=100, **more):
    stream = io.StringIO()
    print_summary(verdict, "runs/x", Console(file=stream, width=width, _environ={}, **more))
    return stream.getvalue()


def test_pass_says_its_sentence_and_its_figures(verdict):
    """A pass begins with its sentence; phases, faults, recovery, writes and objectives follow, then the report."""
    text = printed(verdict)
    lines = [line for line in text.splitlines() if line]
    assert lines[0].rstrip() == "PASS  all objectives were met, recovery took 0.8 s, no acknowledged write is lost"
    for words in (
        "249.9",
        "9.13 ms",
        "41.2 ms",
        "redis-hung",
        "process.pause",
        "6.66 s",
        "p(95)<100",
        "0 lost",
        "5 min",
    ):
        assert words in text
    assert lines[-1] == "report: runs/x/report.html"


@pytest.mark.parametrize("answer", [Answer.FAIL, Answer.UNKNOWN])
def test_reasons_come_before_tables(make, answer):
    """For fail and unknown the reasons with their evidence come first, the worst first, and before any table."""
    parts = (
        Part("objectives", Answer.PASS, "all met"),
        Part("faults", Answer.UNKNOWN, "redis-hung was never confirmed", ("no proof",)),
        *(
            [Part("writes", Answer.FAIL, "2 writes are lost", ("id-1", {"lost": "id-2"}))]
            if answer is Answer.FAIL
            else []
        ),
    )
    text = printed(make.verdict(answer, parts=parts))
    order = [text.index(words) for words in ("redis-hung was never confirmed", "no proof", "Phases")]
    if answer is Answer.FAIL:
        order = [text.index(words) for words in ("writes: 2 writes are lost", "id-1", '{"lost": "id-2"}')] + order
    assert order == sorted(order)
    assert "passed: objectives" in text


def test_fault_never_seen_is_loud(make):
    """An instant that did not come is NEVER, not a dash that could be overlooked."""
    document = make.document()
    document["faults"][1]["confirmed_s"] = None
    assert "NEVER" in printed(make.verdict(document=document))


def test_unknown_count_of_writes_is_not_zero(make):
    """A count that the judge does not know is said to be unknown."""
    document = make.document()
    document["writes"]["lost"] = None
    assert "unknown lost" in printed(make.verdict(document=document), 200)


@pytest.mark.parametrize(
    "document", [{}, {"phases": None, "faults": 3, "recovery": [], "writes": "x", "objectives": [1]}]
)
@pytest.mark.parametrize("width", [20, 80])
def test_poor_document_is_survived(make, document, width):
    """Without figures the answer and the path are still printed."""
    text = printed(make.verdict(Answer.UNKNOWN, document=document, because="the record was cut short"), width)
    assert "UNKNOWN" in text
    assert "report: runs/x/report.html" in text


def test_hostile_names_cannot_command_the_terminal(make):
    """Control characters and rich's own markup in names are shown, not obeyed."""
    evil = "\x1b[2J[red]x[/red]\u202e"
    document = make.document()
    document["phases"][0]["name"] = document["faults"][0]["name"] = document["objectives"][0]["expression"] = evil
    parts = (Part(evil, Answer.FAIL, evil, (evil,)),)
    text = printed(make.verdict(Answer.FAIL, document=document, because=evil, parts=parts), 200, force_terminal=True)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text


def test_a_strike_is_not_shown_as_if_it_had_been_given_back(make):
    """It has no instant at which it was clear."""
    document = make.document()
    document["faults"][0]["strike"] = True
    row = next(line for line in printed(make.verdict(document=document)).splitlines() if "toxiproxy.down" in line)
    assert row.rstrip().endswith("a strike")


@pytest.mark.parametrize("answer", list(Answer))
def test_every_verdict_says_what_it_covers(make, answer):
    """Requirement J4: whatever the answer, what was tried with what proof, what not, and the cost of each incident."""
    document = make.document()
    document["coverage"] = {"because": "covers 2 faults, 1 of them seen to bite", "not_covered": ["No disk was lost."]}
    document["service"] = {
        "promised_availability": 0.999,
        "budget_days": 30,
        "incidents": [
            {"fault": "redis-down", "budget_used": 0.00309},
            {"fault": "redis-hung", "budget_used": None},
        ],
    }
    text = " ".join(printed(make.verdict(answer, document=document)).split())
    assert "This verdict covers 2 faults, 1 of them seen to bite. - No disk was lost." in text
    assert "Cost of a 30-day error budget at 99.9 %: redis-down 0.309 %" in text
    assert "redis-hung None" not in text


def test_objectives_name_their_tenant(make):
    """Else two rows of one objective look the same."""
    document = make.document()
    document["objectives"][0] |= {"tenant": "blue", "region": "eu", "operation": "all"}
    assert "all, blue, eu" in printed(make.verdict(document=document), width=200)


def test_accounts_of_the_ledger_are_told(make):
    """Each with its answer; of its figures what is wrong, not every class that is empty."""
    stock = {"name": "stock", "effect": "counter", "answer": "fail", "because": "x", "evidence": ["y"]}
    stock |= {"attempted": 9, "acknowledged": 8, "indeterminate": 0, "verified": 3, "under_applied": 2, "phantom": 0}
    made = make.verdict(Answer.FAIL)
    document = {**made.document, "accounts": [stock]}
    assert account_lines(document) == [
        ("stock", "counter", "fail", "8 acknowledged, 0 indeterminate, 3 verified, 2 under applied")
    ]
    assert account_lines(made.document) == []
    assert "Account stock (counter): fail; 8 acknowledged" in printed(replace(made, document=document))
