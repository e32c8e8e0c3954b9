"""When each message of an account was sent, remembered for those who are given it in the same process."""

from typing import TypeAlias

from resilience.columns import Mark
from resilience.load.accounts import AccountLedger

Entry: TypeAlias = tuple[int, int, int]
"""An entry of the ledger: writer, epoch, seq."""


class Published:
    """The ledger of an account, which also remembers when each entry was sent and whether anybody was given it.

    Attributes:
        sent_ns: entry → when.
        owed: entries that were acknowledged and that no subscriber has been given yet.
    """

    def __init__(self, ledger: AccountLedger) -> None:
        self._ledger = ledger
        self.sent_ns: dict[Entry, int] = {}
        self.owed: set[Entry] = set()
        self._given: set[Entry] = set()

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
        self._ledger.note(mark, writer, epoch, seq, at_ns, status, effect)
        entry = (writer, epoch, seq)
        if mark is Mark.ATTEMPTED:
            self.sent_ns[entry] = at_ns
        elif mark is Mark.ACKNOWLEDGED and entry not in self._given:
            self.owed.add(entry)

    def given(self, entry: Entry) -> None:
        """Somebody was given it."""
        self._given.add(entry)
        self.owed.discard(entry)
