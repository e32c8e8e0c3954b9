"""Values that cross seams as columns: samples, the write ledger, and the truth, each a struct of NumPy arrays.

All arrays of one struct have the same length and are read-only to whoever receives them. Instants are nanoseconds since
the run began (int64), so no figure depends on how a float was rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from resilience.model import Baseline, Event, Experiment, Plan
from resilience.model.resources import NOTHING, Resources

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Int16 = npt.NDArray[np.int16]
Int8 = npt.NDArray[np.int8]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Samples:
    """Every operation that was offered, in no particular order.

    Attributes:
        operations: names; `operation` holds indices into it.
        arrival_ns: intended start. Response time is `end_ns − arrival_ns`.
        start_ns: actual start; equals the arrival for a dropped one. Service time is `end_ns − start_ns`.
        end_ns: the answer was complete, the client gave up, or (dropped) the arrival itself.
        operation: index into `operations`.
        outcome: index into `model.OUTCOMES`.
        status: HTTP status, 0 if there was none.
        degraded: the answer said that it was degraded.
        details: texts; `detail` holds indices into it, 0 being the empty text (error class and message).
        shed: the answer put the client off in an orderly way: 429 or 503, and when to come back (`Retry-After`).
        tenant, region: indices into `tenants` and `regions`, −1 for none of them; None if the load has none at all.
        first_ns: of a streamed answer, when its first token came. Time to first token is `first_ns − arrival_ns`.
        queue_ns, processing_ns: of a job, how long it waited until it was begun, and how long it then took.
        tokens: how many tokens of a streamed answer came.
            Each of these four is −1 where it is not known, and None if the load has no such operation at all.
        served: which copy of the service gave the answer, an index into `copies`; 0 and −1 are none.
        trace: the trace that the operation was sent with, an index into `traces`; 0 and −1 are none.
            Both are None if the load does not ask for it.
    """

    operations: Sequence[str]
    details: Sequence[str]
    arrival_ns: Int64
    start_ns: Int64
    end_ns: Int64
    operation: Int16
    outcome: Int8
    status: Int16
    degraded: Bool
    detail: Int32
    shed: Bool
    tenant: Int16 | None = None
    region: Int16 | None = None
    tenants: Sequence[str] = ()
    regions: Sequence[str] = ()
    first_ns: Int64 | None = None
    queue_ns: Int64 | None = None
    processing_ns: Int64 | None = None
    tokens: Int32 | None = None
    served: Int16 | None = None
    copies: Sequence[str] = ()
    trace: Int32 | None = None
    traces: Sequence[str] = ()

    def __len__(self) -> int:
        """The number of samples."""
        return int(self.arrival_ns.shape[0])

    def where(self, mask: Bool) -> "Samples":
        """The samples at which the mask is true."""
        return Samples(
            self.operations,
            self.details,
            self.arrival_ns[mask],
            self.start_ns[mask],
            self.end_ns[mask],
            self.operation[mask],
            self.outcome[mask],
            self.status[mask],
            self.degraded[mask],
            self.detail[mask],
            self.shed[mask],
            None if self.tenant is None else self.tenant[mask],
            None if self.region is None else self.region[mask],
            self.tenants,
            self.regions,
            None if self.first_ns is None else self.first_ns[mask],
            None if self.queue_ns is None else self.queue_ns[mask],
            None if self.processing_ns is None else self.processing_ns[mask],
            None if self.tokens is None else self.tokens[mask],
            None if self.served is None else self.served[mask],
            self.copies,
            None if self.trace is None else self.trace[mask],
            self.traces,
        )


class Mark(IntEnum):
    """What a line of the write ledger says about its entry. The numbers are the file format."""

    ATTEMPTED = 1  # written before the first byte is sent
    ACKNOWLEDGED = 2  # the target said that it is stored, and echoed its id
    REJECTED = 3  # certainly had no effect
    INDETERMINATE = 4  # may or may not have had an effect
    SEEN = 5  # a read through the service, begun at `at_ns`, returned it intact
    MISSED = 6  # a read through the service, begun at `at_ns`, said that it does not exist
    WRONG = 7  # a read through the service, begun at `at_ns`, returned something else under its id


@dataclass(frozen=True, slots=True)
class LedgerLines:
    """The write ledger as written, in the order of each writer's file.

    An entry is named by (writer, epoch, seq): a writer sends one entry at a time; `seq` counts its entries from 0
    without gaps; after an indeterminate outcome the writer goes on with the next `epoch`, its `seq` beginning again at
    0.

    Attributes:
        at_ns: when it was noted; for a read mark, when the read began. mark: a `Mark`. status: HTTP status, 0 if there
        was none. problems: what is wrong with the files: torn, corrupt, missing, unsealed. Any of it keeps the verdict
        from passing.
    """

    writer: Int32
    epoch: Int32
    seq: Int64
    mark: Int8
    status: Int16
    at_ns: Int64
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of lines."""
        return int(self.writer.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectLines(LedgerLines):
    """The ledger of an account whose writes have effects on objects: what each write was to do, on each of its lines.

    Attributes:
        object: the number of the object it is done to. other: of a transfer, of the object that is given to; else 0.
        value: the amount that is added or transferred; of a document its version, negative if it is removed; else 0.
    """

    object: Int64
    other: Int64
    value: Int64


@dataclass(frozen=True, slots=True)
class Truth:
    """What the primary store holds of this run, one row per stored row, in order of position.

    Attributes:
        writer, epoch, seq: from the row's id; −1 where the id is not one of ours although it has the run's prefix.
        intact: the body is exactly what was sent for that id.
        position: grows in the order in which rows were stored.
        foreign: ids (at most 32) with the run's prefix that cannot be read as ours.
        facts: what was read about the store itself (`fsync`, `synchronous_commit`, version, in recovery, …).
        read_ns: when the believed read began.
        before: the same as `facts`, before anything was written; empty if it was not read.
        again_ns: when the store was looked at once more, later; 0 if it was not.
        late: how many entries were there then and had not been before.
        late_named: their ids, at most 32.
    """

    writer: Int32
    epoch: Int32
    seq: Int64
    intact: Bool
    position: Int64
    foreign: tuple[str, ...]
    facts: dict[str, str]
    read_ns: int
    before: dict[str, str] = field(default_factory=dict)
    again_ns: int = 0
    late: int = 0
    late_named: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.writer.shape[0])


@dataclass(frozen=True, slots=True)
class AccountBook:
    """What there is of one account of the ledger: its lines, and its truth if that could be read.

    Attributes:
        receipts: of an account whose truth is what subscribers were given: see `record.receipts`.
    """

    name: str
    lines: LedgerLines
    truth: Truth | None
    receipts: EffectLines | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """How often a dependency had been called, read again and again while the run lasted.

    Attributes:
        name: of the dependency.
        at_ns: when each reading was asked for, growing. count: what the dependency said then; it only grows, until
        epoch: (an index, the same for readings between which the dependency did not begin to count anew) changes.
        missed: how many times it could not be read, or not in time.
        problems: what is wrong with the file: missing, torn, cut short.
    """

    name: str
    at_ns: Int64
    count: Float64
    epoch: Int32
    missed: int = 0
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of readings."""
        return int(self.at_ns.shape[0])


@dataclass(frozen=True, slots=True)
class Record:
    """One run, read back: everything that judging and reporting need, and nothing else.

    Attributes:
        events: in order of time.
        samples: every operation.
        ledger: None if the experiment declares no ledger.
        truth: None if there is no ledger or the truth could not be read (`problems` says why).
        cached: copies of entries that a cache held after the truth was read, as rows; None if none is declared or it
            could not be read.
        problems: what is wrong with the record itself: no footer, a part that cannot be read, counts that do not agree.
            Any of it keeps the verdict from passing.
        accounts: those of the ledger that the experiment declares beside `ledger` itself.
        readings: of the dependencies whose calls are counted, in the order of the file.
        incomplete: how the ledgers that are there fall short of, or exceed, what the generator says that it noted: what
            they do not name may have been sent all the same.
        resources: what collectors read; of old records and without collectors nothing.
        baseline: earlier runs that it is compared with; None if it is compared with nothing.
    """

    folder: str
    experiment: Experiment
    plan: Plan
    stack: str
    events: tuple[Event, ...]
    samples: Samples
    ledger: LedgerLines | None
    truth: Truth | None
    problems: tuple[str, ...] = ()
    cached: Truth | None = None
    accounts: tuple[AccountBook, ...] = ()
    readings: tuple[Readings, ...] = ()
    incomplete: tuple[str, ...] = ()
    resources: Resources = NOTHING
    baseline: Baseline | None = None
