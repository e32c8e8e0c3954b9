"""Deliveries to subscribers: every message that is owed, once, in order, for each of them by itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.columns import AccountBook, EffectLines, Mark
from resilience.judge.accounts import judge_accounts
from resilience.judge.case import prepare
from resilience.judge.deliveries import canary, judge_deliveries, read_receipts, tally
from resilience.judge.effects.sent import sent
from resilience.model import Account, Answer, Effect, Subscription
from resilience.model import Truth as TruthSpec
from tests.judge.builder import NS, K, R, U, honest, ledger_lines, steady_ledger
from tests.judge.effects.made import Write, ledgers, lines_of

SUBSCRIPTION = Subscription(name="deliver", account="feed", path="/topics/feed")
FEED = Account(name="feed", effect=Effect.STREAM, truth=TruthSpec(subscription="deliver"), min_acknowledged=1)
SENT = [Write((0, 0, seq), K, 100 + 10 * seq, 105 + 10 * seq) for seq in range(8)]
EVER = 10**18
FIRST, RESUMED, LOST, ANEW = range(4)


class Log:
    """Receipts as a load process writes them."""

    def __init__(self):
        self.rows = []
        self._seq = {}

    def line(self, who, connection, mark, at_ns, status=0, entry=(0, 0, 0)):
        """One line."""
        seq = self._seq[who, connection] = self._seq.get((who, connection), -1) + 1
        self.rows.append((who, connection, seq, mark, status, at_ns, *entry))

    def stay(self, who, connection, begin, end, given=(), how=FIRST, ours=True, at=None):
        """A whole connection, given entries of writer 0 one after another, just after its beginning."""
        self.line(who, connection, Mark.ATTEMPTED, begin, how)
        for place, seq in enumerate(given):
            when = begin + place + 1 if at is None else at[place]
            self.line(who, connection, Mark.SEEN, when, entry=(0, 0, seq))
        self.line(who, connection, Mark.REJECTED, end, int(ours))
        return self

    def lines(self, problems=()):
        """As they are read."""
        columns = np.asarray(self.rows, np.int64).reshape(-1, 9).T
        who, connection, seq, mark, status, at_ns, writer, epoch, entry = columns
        return EffectLines(
            writer=who.astype(np.int32),
            epoch=connection.astype(np.int32),
            seq=seq,
            mark=mark.astype(np.int8),
            status=status.astype(np.int16),
            at_ns=at_ns,
            problems=problems,
            object=writer,
            other=epoch,
            value=entry,
        )


def judged(log, writes=SENT, account=FEED, subscription=SUBSCRIPTION, exposure=0):
    """Findings, and how many were away in the end."""
    told = sent(lines_of(writes), EVER)
    assert told.problems == ()
    receipts = read_receipts(log.lines(), told, exposure)
    assert receipts.problems == ()
    return judge_deliveries(told, receipts, account, subscription)


def test_all_to_everybody_is_clean():
    """Requirement L6: what is owed is messages times subscribers; the canary finds what is planted."""
    log = Log().stay(0, 0, 50, 900, range(8)).stay(1, 0, 50, 900, range(8))
    found, away = judged(log)
    assert (found.broken, away) == ((), 0)
    assert (found.counts["expected"], found.counts["verified"], found.counts["delivered"]) == (16, 16, 16)
    told = sent(lines_of(SENT), EVER)
    assert canary(told, read_receipts(log.lines(), told, 0)) == ""


@pytest.mark.parametrize(
    ("given_", "name", "count"),
    [
        ((0, 1, 2, 4, 5, 6, 7), "lost", 1),
        ((0, 1, 2, 3, 3, 4, 5, 6, 7), "duplicated", 1),
        ((0, 2, 1, 3, 4, 5, 6, 7), "out_of_order", 1),
        ((7, 0, 1, 2, 3, 4, 5, 6), "out_of_order", 7),
    ],
)
def test_each_class_is_found_for_one_of_two_subscribers(given_, name, count):
    """Requirement L6: loss, repetition and order are of each subscriber by itself, and fail the account."""
    found, _ = judged(Log().stay(0, 0, 50, 900, range(8)).stay(1, 0, 50, 900, given_))
    assert found.counts[name] == count
    assert len(found.broken) == 1
    assert any("subscriber 1" in line for line in found.evidence)


def test_what_was_published_before_the_subscription_is_not_owed():
    """Only what began after the confirmation is; what comes all the same is no error."""
    found, _ = judged(Log().stay(0, 0, 125, 900, (3, 4, 5, 6, 7)))
    assert (found.counts["expected"], found.counts["lost"]) == (5, 0)
    found, _ = judged(Log().stay(0, 0, 125, 900, (2, 3, 4, 5, 6, 7)))
    assert found.broken == ()


def test_across_a_resumed_reconnection_everything_is_owed():
    """Nothing that was published while the subscriber was away may be missing."""
    good = Log().stay(0, 0, 50, 130, (0, 1, 2), ours=False).stay(0, 1, 150, 900, (3, 4, 5, 6, 7), RESUMED)
    assert judged(good)[0].broken == ()
    bad = Log().stay(0, 0, 50, 130, (0, 1, 2), ours=False).stay(0, 1, 150, 900, (5, 6, 7), RESUMED)
    found, _ = judged(bad)
    assert (found.counts["lost"], found.counts["gaps"]) == (2, 1)
    assert found.broken == ("2 deliveries are missing",)


def test_a_lost_history_that_is_announced_is_told_apart():
    """An epoch change: what is missing around it is history lost, which fails only where history was promised."""
    log = Log().stay(0, 0, 50, 130, (0, 1, 2), ours=False, at=(106, 116, 126)).stay(0, 1, 150, 900, (5, 6, 7), LOST)
    found, _ = judged(log)
    assert (found.counts["lost"], found.counts["history_lost"], found.counts["history_gone"]) == (0, 2, 1)
    assert found.broken == ("2 deliveries are missing, and the service said that its history is gone",)
    assert judged(log, subscription=replace(SUBSCRIPTION, history="announced"))[0].broken == ()
    # Something that is missing at another time is not explained by it.
    log = Log().stay(0, 0, 50, 130, (0, 2), ours=False, at=(106, 126)).stay(0, 1, 150, 900, (5, 6, 7), LOST)
    found, _ = judged(log, subscription=replace(SUBSCRIPTION, history="announced"))
    assert found.counts["lost"] == 1


def test_who_does_not_resume_misses_what_was_published_meanwhile():
    """That is told, and is no loss; what was on its way when the connection was lost belongs to it."""
    log = Log().stay(0, 0, 50, 130, (0, 1), ours=False, at=(106, 116)).stay(0, 1, 150, 900, (5, 6, 7), ANEW)
    found, _ = judged(log)
    assert (found.counts["lost"], found.counts["missed_away"], found.broken) == (0, 3, ())


def test_what_is_promised_decides():
    """At least once: repetition is counted. At most once: loss is. Order only if it is promised."""
    twice, without = Log().stay(0, 0, 50, 900, (*range(8), 3)), Log().stay(0, 0, 50, 900, range(7))
    assert judged(twice, account=replace(FEED, duplicates="at-least-once"))[0].broken == ()
    assert judged(without, account=replace(FEED, duplicates="at-most-once"))[0].broken == ()
    assert judged(twice, account=replace(FEED, duplicates="at-most-once"))[0].broken != ()
    swapped = Log().stay(0, 0, 50, 900, (1, 0, 2, 3, 4, 5, 6, 7))
    assert judged(swapped, account=replace(FEED, ordered=False))[0].broken == ()


def test_what_nobody_sent_and_what_was_rejected():
    """Strange ids, changed bodies and messages that were refused are errors if they are delivered."""
    log = Log()
    log.line(0, 0, Mark.ATTEMPTED, 50)
    log.line(0, 0, Mark.MISSED, 51)
    log.line(0, 0, Mark.WRONG, 52, entry=(0, 0, 0))
    log.line(0, 0, Mark.SEEN, 53, entry=(0, 0, 1))
    log.line(0, 0, Mark.SEEN, 54, entry=(9, 0, 0))
    log.line(0, 0, Mark.REJECTED, 900, 1)
    found, _ = judged(log, [SENT[0], replace(SENT[1], mark=R)])
    counts = found.counts
    assert (counts["phantom"], counts["corrupted"], counts["rejected_present"], counts["lost"]) == (2, 1, 1, 0)
    assert len(found.broken) == 3


def test_messages_under_way_together_have_no_order():
    """Either may come first; so may one whose fate is not known."""
    writes = [Write((0, 0, 0), K, 100, 200), Write((1, 0, 0), K, 150, 160), Write((2, 0, 0), U, 100, 101)]
    for order in ((0, 1, 2), (1, 0, 2), (1, 2, 0)):
        log = Log()
        log.line(0, 0, Mark.ATTEMPTED, 50)
        for writer in order:
            log.line(0, 0, Mark.SEEN, 300, entry=(writer, 0, 0))
        log.line(0, 0, Mark.REJECTED, 900, 1)
        assert judged(log, writes)[0].broken == ()


def spoiled(change):
    """Problems that reading finds in receipts with two connections."""
    log = Log().stay(0, 0, 50, 130, (0, 1), ours=False).stay(0, 1, 150, 900, (2, 3), RESUMED)
    change(log.rows)
    return read_receipts(log.lines(), sent(lines_of(SENT), EVER), 0).problems


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: None, ()),
        (lambda rows: rows.pop(1), ("lines of receipts are missing",)),
        (lambda rows: rows.pop(0), ("without a confirmation",)),
        (lambda rows: rows.pop(3), ("without an end",)),
        (lambda rows: rows.pop(), ("without an end",)),
        (lambda rows: rows.__delitem__(slice(0, 4)), ("connections are missing",)),
        (lambda rows: rows.insert(2, rows[1]), ("there twice",)),
    ],
)
def test_receipts_with_holes_are_not_believed(change, words):
    """A line that is missing could be a delivery; none of it is passed over."""
    found = " ".join(spoiled(change))
    assert bool(found) == bool(words)
    assert all(word in found for word in words)


@st.composite
def runs(draw):
    """A ledger, and one subscriber given some of it in some order, with one gap or none."""
    writes = draw(ledgers(st.just(0)))
    names = [write.name for write in writes]
    given_ = draw(st.lists(st.sampled_from(names), max_size=12)) if names else []
    begin, end = draw(st.integers(0, 12)), draw(st.integers(13, 40_000))
    return writes, given_, begin, end


@given(runs())
def test_the_tally_is_that_of_a_naive_count(run):
    """Against an oracle that looks at one message after another."""
    writes, given_, begin, end = run
    log = Log()
    log.line(0, 0, Mark.ATTEMPTED, begin)
    for name in given_:
        log.line(0, 0, Mark.SEEN, begin, entry=name)
    log.line(0, 0, Mark.REJECTED, end, 1)
    told = sent(lines_of(writes), EVER)
    receipts = read_receipts(log.lines(), told, 0)
    (stay,) = receipts.stays
    found = tally(receipts.of(0), stay, told)
    by_name = {write.name: write for write in writes}
    acknowledged = [write for write in writes if write.mark is K]
    owed = [write for write in acknowledged if write.begun >= begin and write.settled <= end]
    first = list(dict.fromkeys(given_))
    overtaken = sum(
        by_name[name].mark is K and any(by_name[early].begun > by_name[name].settled for early in first[:place])
        for place, name in enumerate(first)
    )
    assert (found.owed, found.came) == (len(owed), sum(write.name in given_ for write in owed))
    assert found.counts() == {
        "lost": sum(write.name not in given_ for write in owed),
        "history_lost": 0,
        "missed_away": 0,
        "duplicated": sum(given_.count(name) > 1 for name in set(given_)),
        "out_of_order": overtaken,
    }


def record(receipts, connections=1, **more):
    """A good run whose publishing is an account with subscribers."""
    made = honest(ledger=None, lines=None, truth=None).record()
    plain = ledger_lines(steady_ledger())
    columns = {name: getattr(plain, name) for name in ("writer", "epoch", "seq", "mark", "status", "at_ns")}
    nothing = np.zeros(len(plain), np.int64)
    book = AccountBook("feed", EffectLines(**columns, object=nothing, other=nothing, value=nothing), None, receipts)
    load = replace(made.experiment.load, subscriptions=(replace(SUBSCRIPTION, connections=connections),))
    experiment = replace(made.experiment, load=load, accounts=(replace(FEED, **more),))
    return replace(made, experiment=experiment, accounts=(book,))


def everything(without=()):
    """A subscriber that is given the whole of the steady ledger, but for some of it, in the order of publishing."""
    log = Log()
    log.line(0, 0, Mark.ATTEMPTED, 0)
    for writer, epoch, seq, mark, at_ns in steady_ledger():
        if mark is K and (writer, seq) not in without:
            log.line(0, 0, Mark.SEEN, at_ns, entry=(writer, epoch, seq))
    log.line(0, 0, Mark.REJECTED, 60 * NS, 1)
    return log


def verdict(made):
    """That of the one account."""
    (found,) = judge_accounts(prepare(made))
    return found


def test_in_a_verdict():
    """Requirement L6: a pass says how many; a loss fails; what is not known is not passed."""
    found = verdict(record(everything().lines()))
    assert found.answer is Answer.PASS
    assert "800 deliveries of 800 acknowledged messages to 1 subscribers" in found.because
    assert found.data["lost"] == 0
    found = verdict(record(everything({(1, 7)}).lines()))
    assert (found.answer, found.data["lost"]) == (Answer.FAIL, 1)
    assert "1 delivery is missing (of 800 owed to 1 subscribers)" in found.because


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: record(None), "no receipts"),
        (lambda: record(Log().lines()), "no subscription was ever confirmed"),
        (lambda: record(everything().lines(("load.ledger is not sealed",))), "not sealed"),
        (lambda: record(everything().lines(), connections=2), "1 of 2 subscriptions were never confirmed"),
        (lambda: record(everything().lines(), min_acknowledged=10_000), "at least 10,000 are needed"),
    ],
)
def test_what_is_not_known_is_not_passed(made, words):
    """Missing receipts, missing subscribers, too few messages: unknown."""
    found = verdict(made())
    assert found.answer is Answer.UNKNOWN
    assert words in found.because


def test_a_subscriber_that_never_came_back_is_told():
    """What it would have been given is not known: that is no pass."""
    log = everything()
    who, connection, seq, mark, _, at_ns, *entry = log.rows[-1]
    log.rows[-1] = (who, connection, seq, mark, 0, at_ns, *entry)
    found = verdict(record(log.lines()))
    assert found.answer is Answer.UNKNOWN
    assert "1 subscribers were not connected in the end" in found.because


def test_a_checker_that_finds_nothing_is_found():
    """The canary of every judgement: a tally that is blind to a class does not pass."""
    told = sent(lines_of(SENT), EVER)
    receipts = read_receipts(Log().stay(0, 0, 50, 900, range(8)).lines(), told, 0)
    for name in ("lost", "duplicated", "out_of_order"):

        def blind(slots, stay, ledger, name=name):
            found = tally(slots, stay, ledger)
            return replace(found, classes={**found.classes, name: found.classes[name][:0]})

        assert canary(told, receipts, blind) == f"{name}: 0, expected 1"
    nothing = read_receipts(Log().stay(0, 0, 50, 900).lines(), told, 0)
    assert "no error could be planted" in canary(told, nothing)
