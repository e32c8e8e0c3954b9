"""What the writes of each account are to do: to which object, how much, which version.

Objects are chosen by the arrival's key, so that hot keys are contended for. Everything else follows from the entry and
the versions so far, so that the same seed asks for the same. What a write is to do is noted before it is sent.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

from resilience.columns import Mark
from resilience.entry import format_object
from resilience.errors import LoadError
from resilience.load.classify import Replaced
from resilience.load.operations import AMOUNT, NUMBER, OBJECT, OTHER, VERSION
from resilience.load.workers.shares import own_object
from resilience.load.writes import NOTHING, REMEMBERED, Change, Entry, Ledger, Writers
from resilience.model import Account, Effect, LoadOrder, Operation, Role

ON_OBJECTS = frozenset({Effect.APPEND, Effect.DOCUMENT, Effect.COUNTER, Effect.TRANSFER})


class AccountLedger(Protocol):
    """Where marks are written down, with what was to be done: `record.ledger.AccountWriter`."""

    def note(
        self,
        mark: Mark,
        writer: int,
        epoch: int,
        seq: int,
        at_ns: int,
        status: int = 0,
        effect: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        """Write one line down before returning."""


class _Noting:
    """A ledger of an account as that of a plain one: what the entry in hand was to do is on each of its lines."""

    def __init__(self, ledger: AccountLedger) -> None:
        self._ledger = ledger
        self.change = NOTHING

    def note(self, mark: Mark, writer: int, epoch: int, seq: int, at_ns: int, status: int = 0) -> None:
        """Write one line down before returning."""
        self._ledger.note(mark, writer, epoch, seq, at_ns, status, self.change)


class AccountWriters(Writers):
    """The writers of one account in one process.

    Args:
        order: whose run it is.
        place: of the account in `order.accounts`, from 0.
        ledger: of the account.
    """

    def __init__(self, order: LoadOrder, place: int, ledger: AccountLedger) -> None:
        self._noting = _Noting(ledger)
        count = order.load.max_in_flight
        super().__init__(order.run, order.seed, count, self._noting, first=(place + 1) * count)
        self._account: Account = order.accounts[place]
        self._place = place
        self._run_name = order.run
        self._versions: dict[int, int] = {}
        self._documents = self._account.effect is Effect.DOCUMENT
        self._last: dict[int, Entry] = {}
        self._objects: OrderedDict[str, int] = OrderedDict()
        self._share = order.share

    def begin_change(self, writer: int, at_ns: int, key: int, *, deletes: bool) -> Entry:
        """The writer's next entry, and what it is to do, noted as attempted before this returns."""
        self._noting.change = self._change(writer, key, deletes=deletes)
        entry = self.begin(writer, at_ns, self._noting.change)
        if self._documents:
            self._objects[entry.id] = entry.change[1]
            if len(self._objects) > REMEMBERED:
                self._objects.popitem(last=False)
        return entry

    def settle(self, entry: Entry, mark: Mark, at_ns: int, status: int) -> None:
        """Note what became of a write."""
        self._noting.change = entry.change
        super().settle(entry, mark, at_ns, status)
        if self._documents and mark is Mark.ACKNOWLEDGED:
            last = self._last.get(entry.change[1])
            if last is None or abs(last.change[0]) < abs(entry.change[0]):
                self._last[entry.change[1]] = entry

    def pick(self) -> Entry | None:
        """As of any writers; of a document, the last acknowledged write to it."""
        entry = super().pick()
        return self._last.get(entry.change[1], entry) if entry is not None and self._documents else entry

    def replaced(self, entry: Entry) -> Replaced | None:
        """What is known of the object of an acknowledged write at this moment; None if it is no document."""
        if not self._documents:
            return None
        value, number, _ = entry.change
        return Replaced(
            run=self._run_name,
            removed=value < 0,
            overtaken=self._versions[number] != abs(value),
            elsewhere=lambda other: self._objects.get(other, number) != number,
        )

    def read(self, entry: Entry, mark: Mark, began_ns: int, status: int) -> None:
        """Note what a read-back found."""
        self._noting.change = entry.change
        super().read(entry, mark, began_ns, status)

    def values(self, entry: Entry) -> Mapping[str, str]:
        """What the names in a request stand for."""
        value, number, other = entry.change
        return {
            OBJECT: format_object(self._run_name, self._place, number),
            NUMBER: str(number),
            OTHER: format_object(self._run_name, self._place, other),
            AMOUNT: str(value),
            VERSION: str(abs(value)),
        }

    def _change(self, writer: int, key: int, *, deletes: bool) -> Change:
        account = self._account
        number = key % account.objects if account.effect in ON_OBJECTS else 0
        spread = self.attempted * 31 + writer
        match account.effect:
            case Effect.DOCUMENT:
                number = own_object(number, account.objects, self._share)
                version = self._versions[number] = self._versions.get(number, 0) + 1
                return -version if deletes else version, number, 0
            case Effect.COUNTER:
                return 1 + spread % account.amount, number, 0
            case Effect.TRANSFER:
                other = (number + 1 + spread % (account.objects - 1)) % account.objects
                return 1 + spread % account.amount, number, other
            case _:
                return 0, number, 0


class Books:
    """The writers of `ledger` itself, which have no name, and of every account.

    Raises:
        LoadError: there is an operation whose account is not there, or that reads back where nothing is written.
    """

    def __init__(self, order: LoadOrder, ledger: Ledger, accounts: Mapping[str, AccountLedger]) -> None:
        self.plain = Writers(order.run, order.seed, order.load.max_in_flight, ledger)
        self._accounts = {
            account.name: AccountWriters(order, place, accounts[account.name])
            for place, account in enumerate(order.accounts)
        }
        self._first = {name: _first_write(order.load.operations, name) for name in ("", *self._accounts)}
        for operation in order.load.operations:
            if operation.account and operation.account not in self._accounts:
                raise LoadError(f"operation {operation.name}: there is no account {operation.account!r}")
            if operation.role is Role.READ_BACK and self._first[operation.account] is None:
                msg = "an operation reads back what was written, but no operation writes"
                raise LoadError(f"{msg}; one with role: write was expected")

    def of(self, operation: Operation) -> Writers:
        """Those that an operation writes as, or reads back from."""
        return self._accounts[operation.account] if operation.account else self.plain

    def instead(self, operation: Operation) -> int:
        """The number of the operation that is done when there is nothing yet to read back."""
        return self._first[operation.account] or 0

    def begin(self, operation: Operation, slot: int, at_ns: int, key: int) -> tuple[Entry, Mapping[str, str]]:
        """The next entry, noted as attempted before this returns, and what its account's names stand for."""
        if not operation.account:
            return self.plain.begin(slot, at_ns), {}
        writers = self._accounts[operation.account]
        entry = writers.begin_change(slot, at_ns, key, deletes=operation.deletes)
        return entry, writers.values(entry)

    def about(self, operation: Operation, acked: Entry) -> Mapping[str, str]:
        """What its account's names stand for in a read-back of an acknowledged write."""
        return self._accounts[operation.account].values(acked) if operation.account else {}

    @property
    def attempted(self) -> int:
        """So far, of all."""
        return sum(writers.attempted for writers in self._all())

    @property
    def acknowledged(self) -> int:
        """So far, of all."""
        return sum(writers.acknowledged for writers in self._all())

    @property
    def unsettled(self) -> int:
        """In flight or indeterminate so far, of all."""
        return sum(writers.unsettled for writers in self._all())

    def _all(self) -> Sequence[Writers]:
        return (self.plain, *self._accounts.values())


def _first_write(operations: Sequence[Operation], account: str) -> int | None:
    for number, operation in enumerate(operations):
        if operation.role is Role.WRITE and operation.account == account and not operation.deletes:
            return number
    return None
