"""The closed walk: users who do something, wait until it has ended, think, and do the next thing.

When users come and go is the profile's arithmetic, to the nanosecond (`spec.users`), and so is how long they think.
When they do something depends on the target, which is what *closed* means: one that is slow is asked less.

A user who thinks is an entry in a heap, with a slot that has its connection, and nothing else: no greenlet, no timer.
Each operation has a greenlet of its own while it lasts. The intended start of an operation is when its user was ready,
so what lies between it and the actual start is the generator's own lateness, as in the open walk.

A user who is to go while an operation is in flight goes when that has ended; one who thinks goes at once, and its
connection is closed. Whatever is in flight at the end of the run is the engine's to account for.
"""

import heapq
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from resilience.errors import LoadError
from resilience.load.workers.shares import share_of_user
from resilience.model import LoadOrder, Problem
from resilience.spec.users import Change, Thinks, changes, most_users

if TYPE_CHECKING:
    from resilience.load.engine import Engine
    from resilience.load.operate import Slot


class ClosedWalk:
    """The users of a load, or those of a share of it.

    Args:
        order: its load says how many users when, and how long they think.

    Attributes:
        came, gone: users so far.

    Raises:
        LoadError: there are more users than slots.
    """

    def __init__(self, order: LoadOrder) -> None:
        load, share = order.load, order.share
        most = most_users(load, order.max_s)
        if most > load.max_in_flight:
            hint = "max_in_flight must be at least as many"
            raise LoadError(Problem("load", f"{most} users do not fit into {load.max_in_flight} slots", hint))
        self._changes = (
            change
            for change in changes(load, order.max_s)
            if share_of_user(change.user, load.max_in_flight, share.of) == share.index
        )
        self._share = share
        self._thinks = Thinks(load.think, order.seed)
        self._ready: list[tuple[int, int]] = []
        """When a user has thought, and the number of its slot. What is not in `_due` as well is of a user who went."""
        self._due: dict[int, int] = {}
        self._slots: dict[int, Slot] = {}
        """By user, the slots of those who are there."""
        self._leaving: dict[int, Slot] = {}
        """The same of those who are to go once an operation has ended."""
        self._owner: dict[int, int] = {}
        """By number of the slot, the user of both."""
        self._count = 0
        self._waits_until_ns = 0
        self._news = Event()
        self.came = self.gone = 0

    def follow(self, engine: "Engine") -> None:
        """Let users come, act and go until the engine is to stop."""
        engine.when_stopped(self._news.set)
        change = next(self._changes, None)
        while engine.error is None:
            change = self._newer(change)
            due_ns = self._next_ns(change, engine.until_ns)
            overdue = self._wait_until(due_ns, engine)
            if overdue is None:
                continue  # something else is next now
            if due_ns >= engine.until_ns or engine.error is not None:
                break
            if change is not None and change.at_ns <= due_ns:
                self._change(change, engine)
                change = next(self._changes, None)
            else:
                self._act(engine)
            if overdue:
                gevent.sleep(0)  # behind: let what was sent be worked on

    def _newer(self, change: Change | None) -> Change | None:
        """The next one who comes or goes, if that can have changed meanwhile (see `load.steering`)."""
        return change

    def _next_ns(self, change: Change | None, until_ns: int) -> int:
        """When the next thing is due."""
        while self._ready and self._due.get(self._ready[0][1]) != self._ready[0][0]:
            heapq.heappop(self._ready)  # its user went while thinking
        due_ns = min(self._ready[0][0] if self._ready else until_ns, until_ns)
        return due_ns if change is None else min(due_ns, change.at_ns)

    def _wait_until(self, at_ns: int, engine: "Engine") -> bool | None:
        """Wait for an instant; True if it had passed before, None if there was news before it came."""
        left_ns = at_ns - engine.now_ns()
        if left_ns <= 0:
            return True
        self._news.clear()
        self._waits_until_ns = at_ns
        if self._news.wait(left_ns / 1e9):
            return None
        return None if engine.now_ns() < at_ns else False

    def _change(self, change: Change, engine: "Engine") -> None:
        """A user comes or goes."""
        user = change.user
        if not change.there:
            slot = self._slots.pop(user)
            if slot.number in self._due:
                self._leave(slot, engine)
            else:
                self._leaving[user] = slot
        elif user in self._leaving:  # was to go, but the operation has not ended yet: stays
            self._slots[user] = self._leaving.pop(user)
        else:
            free = engine.take()
            if free is None:
                raise LoadError(f"there is no slot for user {user}")
            self._slots[user] = free
            self._owner[free.number] = user
            self.came += 1
            self._think(free, change.at_ns + self._thinks.before_ns(user))

    def _act(self, engine: "Engine") -> None:
        """The user who was ready first does something."""
        ready_ns, number = heapq.heappop(self._ready)
        del self._due[number]
        self._do(self._slots[self._owner[number]], ready_ns, engine)

    def _do(self, slot: "Slot", ready_ns: int, engine: "Engine") -> None:
        """A user does the next thing, and thinks after it; one who never thinks goes on at once."""
        index = self._count * self._share.of + self._share.index
        self._count += 1

        def ended(slot: "Slot") -> None:
            user = self._owner[slot.number]
            now_ns = engine.now_ns()
            if user in self._slots:
                pause_ns = self._thinks.after_ns(index)
                if pause_ns or now_ns >= engine.until_ns:
                    self._think(slot, now_ns + pause_ns)
                elif engine.error is None:
                    self._do(slot, now_ns, engine)
            else:
                del self._leaving[user]
                self._leave(slot, engine)

        engine.start(engine.operator.flow(index, ready_ns), slot, ended)

    def _think(self, slot: "Slot", until_ns: int) -> None:
        heapq.heappush(self._ready, (until_ns, slot.number))
        self._due[slot.number] = until_ns
        if until_ns < self._waits_until_ns:
            self._news.set()

    def _leave(self, slot: "Slot", engine: "Engine") -> None:
        self._due.pop(slot.number, None)
        del self._owner[slot.number]
        self.gone += 1
        slot.close()
        engine.give_back(slot)
