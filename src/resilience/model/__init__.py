"""The values that cross seams: frozen, plain, without behaviour beyond arithmetic.

Instants are seconds since the run began (`*_s`, float) unless a name says nanoseconds (`*_ns`, int). The run begins at
`LoadOrder.zero_ns` of the host's monotonic clock, which all processes on one machine share. Durations are seconds.

Import from here; the modules are only so that each subject is on a page of its own.
"""

from resilience.model.basics import Json, Problem, is_name
from resilience.model.data import (
    DataField,
    Delivered,
    Feeder,
    Journey,
    JourneyFunction,
    JourneyStep,
    Skew,
    Subscription,
    Token,
)
from resilience.model.events import Event, EventKind, Phase, PhaseName
from resilience.model.experiment import Experiment, Plan, PlannedPhase
from resilience.model.ledgers import (
    Account,
    CacheCopy,
    Effect,
    FunctionTruth,
    HttpTruth,
    Ledger,
    RedisTruth,
    Removal,
    Truth,
)
from resilience.model.load import Load
from resilience.model.operations import (
    WRONG_TENANT,
    Exchange,
    Expect,
    Job,
    Marker,
    Operation,
    RedisCommand,
    Role,
    Shed,
    Sql,
    SqlStatement,
    StreamedAnswer,
)
from resilience.model.orders import Gathering, LoadOrder, Share
from resilience.model.profiles import Profile, Region, Segment, Stage, Think, Workers
from resilience.model.promises import (
    COMPARED_S,
    Breaker,
    Comparison,
    Degradation,
    Dependency,
    Objective,
    Recovery,
    ServiceLevel,
)
from resilience.model.safety import AbortWhen, Safety
from resilience.model.samples import HISTOGRAM_BASE, OUTCOMES, Outcome, Slice
from resilience.model.stacks import Identity, Launch, Place, Program, Service, StackSpec
from resilience.model.steps import BeginFault, EndFault, FaultGroup, FaultSpec, Observe, Step, Undo, faults_of
from resilience.model.verdicts import Answer, Part, Verdict

__all__ = [
    "COMPARED_S",
    "HISTOGRAM_BASE",
    "OUTCOMES",
    "WRONG_TENANT",
    "AbortWhen",
    "Account",
    "Answer",
    "BeginFault",
    "Breaker",
    "CacheCopy",
    "Comparison",
    "DataField",
    "Degradation",
    "Delivered",
    "Dependency",
    "Effect",
    "EndFault",
    "Event",
    "EventKind",
    "Exchange",
    "Expect",
    "Experiment",
    "FaultGroup",
    "FaultSpec",
    "Feeder",
    "FunctionTruth",
    "Gathering",
    "HttpTruth",
    "Identity",
    "Job",
    "Journey",
    "JourneyFunction",
    "JourneyStep",
    "Json",
    "Launch",
    "Ledger",
    "Load",
    "LoadOrder",
    "Marker",
    "Objective",
    "Observe",
    "Operation",
    "Outcome",
    "Part",
    "Phase",
    "PhaseName",
    "Place",
    "Plan",
    "PlannedPhase",
    "Problem",
    "Profile",
    "Program",
    "Recovery",
    "RedisCommand",
    "RedisTruth",
    "Region",
    "Removal",
    "Role",
    "Safety",
    "Segment",
    "Service",
    "ServiceLevel",
    "Share",
    "Shed",
    "Skew",
    "Slice",
    "Sql",
    "SqlStatement",
    "StackSpec",
    "Stage",
    "Step",
    "StreamedAnswer",
    "Subscription",
    "Think",
    "Token",
    "Truth",
    "Undo",
    "Verdict",
    "Workers",
    "faults_of",
    "is_name",
]
