"""A worker as its master knows it, and what is told of it in the account of the load."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from resilience.columns import Mark
from resilience.load.workers.lost import Loss
from resilience.load.workers.shares import name_of
from resilience.load.workers.shipping import Receiver
from resilience.model import Json, LoadOrder, Share
from resilience.record.ledger import read_ledger


@dataclass
class Member:
    """A worker that has joined.

    Attributes:
        client: its name with Locust. about: what it said of itself.
        process: of one that was started here.
        heard_ns: when something was last heard, by the monotonic clock.
        offered: operations that it has reported; ended: those of each kind that had ended.
    """

    client: str
    about: dict[str, Any]
    share: Share = field(default_factory=Share)
    process: Any = None
    order: LoadOrder | None = None
    receiver: Receiver | None = None
    prepared: bool = False
    ready: bool = False
    account: dict[str, Any] | None = None
    loss: Loss | None = None
    why: str = ""
    heard_ns: int = 0
    offered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    cpu_share: float = 0.0

    @property
    def name(self) -> str:
        """What its files are called after: `load-1`, `load-2`."""
        return name_of(self.share)

    @property
    def row(self) -> dict[str, Json]:
        """What is told of it in the account of the load."""
        account, loss = self.account or {}, self.loss
        return {
            "name": self.name,
            "host": str(self.about.get("host", "")),
            "remote": self.process is None,
            "offset_s": self.about.get("offset_s"),
            "uncertainty_s": self.about.get("uncertainty_s"),
            **{key: account.get(key) for key in ("offered", "ok", "failed", "unknown", "dropped", "lag_p99_s")},
            "cpu_share_max": self.cpu_share,
            "lost_at_s": None if loss is None else loss.at_ns / 1e9,
            "why": self.why,
        }

    @property
    def over(self) -> bool:
        """Whether nothing more is to be expected of it."""
        return self.account is not None or self.loss is not None


def from_ledger(order: LoadOrder) -> dict[str, Json]:
    """What the ledgers of all workers have, where a lost one can no longer say what it noted."""
    counts = dict.fromkeys(Mark, 0)
    for account in ("", *(account.name for account in order.accounts)):
        lines = read_ledger(Path(order.folder), run=order.run, finished=False, account=account)
        for mark, count in zip(*np.unique(lines.mark, return_counts=True), strict=True):
            counts[Mark(int(mark))] += int(count)
    settled = counts[Mark.ACKNOWLEDGED] + counts[Mark.REJECTED]
    return {
        "attempted": counts[Mark.ATTEMPTED],
        "acknowledged": counts[Mark.ACKNOWLEDGED],
        "unsettled": counts[Mark.ATTEMPTED] - settled,
    }
