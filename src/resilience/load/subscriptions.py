"""All subscriptions of one load process: their receipts, and the accounts whose messages they are given."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from resilience.load.accounts import AccountLedger
from resilience.load.published import Published
from resilience.load.subscribers import Subscribers
from resilience.load.workers.shares import name_of
from resilience.model import Json, LoadOrder
from resilience.record.folder import writes_of
from resilience.record.ledger import SUFFIX
from resilience.record.receipts import ReceiptWriter, receipts_of

if TYPE_CHECKING:
    from resilience.load.engine import Engine
    from resilience.load.operate import Samples


class Subscriptions:
    """Whatever is subscribed to beside the mix.

    Args:
        order: what to do.
        accounts: of the ledger, by name.

    Attributes:
        accounts: the same, those with subscribers remembering what was sent.

    Raises:
        RecordError: the receipts cannot be written.
    """

    def __init__(self, order: LoadOrder, accounts: Mapping[str, AccountLedger]) -> None:
        self._order = order
        self._published = {one.account: Published(accounts[one.account]) for one in order.load.subscriptions}
        self.accounts: dict[str, AccountLedger] = {**accounts, **self._published}
        folder, name = Path(order.folder), f"{name_of(order.share)}{SUFFIX}"
        self._receipts = {
            account: ReceiptWriter(writes_of(folder, receipts_of(account)) / name, order.run, boot=order.boot)
            for account in self._published
        }
        self._all: list[Subscribers] = []

    def start(self, engine: "Engine", samples: "Samples") -> None:
        """Begin to connect."""
        for one in self._order.load.subscriptions:
            published, receipts = self._published[one.account], self._receipts[one.account]
            made = Subscribers(self._order, one, engine.operator, samples, published, receipts)
            self._all.append(made)
            made.start(engine)

    def settle(self) -> None:
        """Nothing is sent any more: wait for what has not come yet, and close every connection."""
        for one in self._all:
            one.settle()

    def flush(self) -> None:
        """Give what was received to the kernel. Raises RecordError."""
        for receipts in self._receipts.values():
            receipts.flush()

    def close(self) -> None:
        """Seal the receipts. Raises RecordError."""
        for receipts in self._receipts.values():
            receipts.close()

    def account(self) -> dict[str, Json]:
        """What happened, by name."""
        return {one.subscription.name: one.account() for one in self._all}
