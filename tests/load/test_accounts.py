"""What writes to accounts are to do, and that it is noted before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.columns import Mark
from resilience.entry import parse_id
from resilience.errors import LoadError
from resilience.load.accounts import AccountWriters, Books
from resilience.model import Account, Effect, Load, LoadOrder, Operation, Role, Truth

RUN = "0badcafe"
TRUTH = Truth(query="SELECT 1", part="postgres")
STOCK = Account(name="stock", effect=Effect.COUNTER, truth=TRUTH, objects=7, amount=3)
MONEY = Account(name="money", effect=Effect.TRANSFER, truth=TRUTH, objects=5)
PAGES = Account(name="pages", effect=Effect.DOCUMENT, truth=TRUTH, objects=2)
JOBS = Account(name="jobs", effect=Effect.QUEUE, truth=TRUTH)


class Lines:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.lines: list[tuple] = []

    def note(self, *line) -> None:
        """Keep one line."""
        self.lines.append(line)


def operation(account="", role=Role.WRITE, **more):
    return Operation(
        name=f"{role}-{account or 'plain'}", weight=1, method="POST", path="/", role=role, account=account, **more
    )


def order(*accounts, operations=(), slots=4):
    load = Load(rate=1, operations=operations or tuple(operation(one.name) for one in accounts), max_in_flight=slots)
    return LoadOrder(run=RUN, seed=1, zero_ns=0, base_url="http://x", folder="/", load=load, max_s=1, accounts=accounts)


def writers_of(account):
    lines = Lines()
    return AccountWriters(order(account), 0, lines), lines


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), max_size=20),
    st.sampled_from([STOCK, MONEY, PAGES, JOBS]),
)
def test_what_a_write_is_to_do_is_possible_and_on_each_of_its_lines(steps, account):
    """Objects that there are, amounts within their limit, nobody gives to himself; before sending, and at the end."""
    writers, ledger = writers_of(account)
    for slot, key in steps:
        entry = writers.begin_change(slot, 5, key, deletes=False)
        assert ledger.lines[-1] == (Mark.ATTEMPTED, entry.writer, entry.epoch, entry.seq, 5, 0, entry.change)
        value, number, other = entry.change
        assert 0 <= number < account.objects
        assert number == (0 if account is JOBS else key % account.objects)
        assert (account is not MONEY) or (other != number and 0 <= other < account.objects)
        assert (value == 0) is (account is JOBS)
        assert account is PAGES or value <= account.amount
        values = writers.values(entry)
        assert parse_id(values["object"], RUN) == (0, 0, number)
        assert (values["amount"], values["number"]) == (str(value), str(number))
        writers.settle(entry, Mark.ACKNOWLEDGED, 9, 200)
        assert ledger.lines[-1] == (Mark.ACKNOWLEDGED, entry.writer, entry.epoch, entry.seq, 9, 200, entry.change)


def test_lines_of_writes_that_are_under_way_together_are_not_mixed_up():
    """The outcome of the first says what the first was to do, although the second began in between."""
    writers, ledger = writers_of(STOCK)
    first = writers.begin_change(0, 1, 3, deletes=False)
    second = writers.begin_change(1, 2, 4, deletes=False)
    assert first.change != second.change
    writers.settle(first, Mark.ACKNOWLEDGED, 3, 200)
    writers.settle(second, Mark.INDETERMINATE, 4, 0)
    writers.read(first, Mark.SEEN, 5, 200)
    assert [line[-1] for line in ledger.lines[2:]] == [first.change, second.change, first.change]


def test_versions_count_the_writes_to_each_document():
    """A removal has a version, too, and is told by its sign."""
    writers, _ = writers_of(PAGES)
    changes = [
        writers.begin_change(n % 4, n, key, deletes=gone).change
        for n, (key, gone) in enumerate([(0, False), (1, False), (0, True), (0, False)])
    ]
    assert changes == [(1, 0, 0), (1, 1, 0), (-2, 0, 0), (3, 0, 0)]
    removal = writers.begin_change(0, 9, 0, deletes=True)
    assert writers.values(removal)["version"] == "4"


def test_a_document_is_read_back_by_its_last_acknowledged_write():
    """Whichever write is picked: and it is known whether a later one has been begun, and what is another object's."""
    writers, _ = writers_of(PAGES)
    first, other = (writers.begin_change(slot, 1, slot, deletes=False) for slot in (0, 1))
    for entry in (first, other):
        writers.settle(entry, Mark.ACKNOWLEDGED, 2, 200)
    known = writers.replaced(first)
    assert (known.run, known.removed, known.overtaken) == (RUN, False, False)
    assert (known.elsewhere(first.id), known.elsewhere(other.id), known.elsewhere("unheard-of")) == (False, True, False)
    removal = writers.begin_change(2, 3, 0, deletes=True)
    assert writers.replaced(first).overtaken
    assert {writers.pick().id for _ in range(50)} == {first.id, other.id}
    writers.settle(removal, Mark.ACKNOWLEDGED, 4, 200)
    assert {writers.pick().id for _ in range(50)} == {removal.id, other.id}
    known = writers.replaced(removal)
    assert (known.removed, known.overtaken) == (True, False)


def test_an_earlier_write_that_is_acknowledged_late_is_not_the_last():
    """Versions decide, not who is answered last."""
    writers, _ = writers_of(PAGES)
    first, second = (writers.begin_change(slot, 1, 0, deletes=False) for slot in (0, 1))
    for entry in (second, first):
        writers.settle(entry, Mark.ACKNOWLEDGED, 2, 200)
    assert writers.pick().id == second.id


def test_what_stores_something_of_its_own_is_not_replaced():
    """It is read back by its id."""
    writers, _ = writers_of(JOBS)
    entry = writers.begin_change(0, 1, 0, deletes=False)
    assert writers.replaced(entry) is None


def test_no_two_accounts_share_a_writer():
    """Requirement H16: entries of different accounts can never be taken for each other."""
    ledgers = {"stock": Lines(), "money": Lines()}
    plain = Lines()
    operations = (operation(), operation("stock"), operation("money"))
    books = Books(order(STOCK, MONEY, operations=operations), plain, ledgers)
    entries = [books.begin(one, slot, 1, 1)[0] for one in operations for slot in range(4)]
    assert len({entry.writer for entry in entries}) == 12
    assert len({entry.id for entry in entries}) == 12
    assert (books.attempted, books.acknowledged, books.unsettled) == (12, 0, 12)
    for one, entry in zip([one for one in operations for _ in range(4)], entries, strict=True):
        books.of(one).settle(entry, Mark.ACKNOWLEDGED, 2, 200)
    assert (books.attempted, books.acknowledged, books.unsettled) == (12, 12, 0)
    assert [len(one.lines) for one in (plain, *ledgers.values())] == [8, 8, 8]


def test_what_is_read_back_is_of_the_same_account():
    """And as long as there is nothing, something is written to it, which is never a removal."""
    operations = (
        operation("pages", deletes=True),
        operation("pages"),
        operation("jobs"),
        operation("jobs", Role.READ_BACK),
    )
    books = Books(order(PAGES, JOBS, operations=operations), Lines(), {"pages": Lines(), "jobs": Lines()})
    reader = operations[3]
    assert (books.of(reader).pick(), books.instead(reader)) == (None, 2)
    entry, _ = books.begin(operations[2], 0, 1, 1)
    books.of(reader).settle(entry, Mark.ACKNOWLEDGED, 2, 200)
    assert books.of(reader).pick() == entry
    assert books.instead(operations[0]) == 1


@pytest.mark.parametrize(
    ("operations", "says"),
    [
        ((operation("nowhere"),), "there is no account 'nowhere'"),
        ((operation("stock"), operation(role=Role.READ_BACK)), "no operation writes"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(operations, says):
    """Before anything is sent."""
    with pytest.raises(LoadError, match=says):
        Books(order(STOCK, operations=operations), Lines(), {"stock": Lines()})
