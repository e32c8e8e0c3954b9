"""The keys of our block in an experiment file: each with its spelling, the model's field it fills, shape and meaning.

This is the one declaration from which the JSON Schema is generated and by which files are read, so that the two cannot
drift apart. Defaults are the model's.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from resilience.model import (
    Account,
    Breaker,
    CacheCopy,
    Capacity,
    Control,
    DataField,
    Degradation,
    Dependency,
    Effect,
    Expect,
    Feeder,
    Health,
    Journey,
    Ledger,
    Load,
    Marker,
    Objective,
    Observing,
    Operation,
    Program,
    Recovery,
    Region,
    Regression,
    Role,
    Safety,
    Search,
    Segment,
    Service,
    ServiceLevel,
    Shed,
    Skew,
    StackSpec,
    Token,
    Truth,
)
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.model.soak import Soak
from resilience.spec.findings import Findings
from resilience.spec.k6 import Threshold
from resilience.spec.key import Key, block
from resilience.spec.keys_jobs import JOB_KEYS, LASTING_KEYS
from resilience.spec.keys_load import LEVEL, LOAD_KEYS, PROFILE, STAGES, THINK
from resilience.spec.keys_mix import HEADER, MIX_KEYS
from resilience.spec.keys_observe import OBSERVE_KEYS
from resilience.spec.keys_regression import REGRESSION_KEYS
from resilience.spec.keys_script import SCRIPT_KEYS
from resilience.spec.keys_search import SEARCH_KEYS
from resilience.spec.keys_serving import PROMISED, SEEN, SERVING_KEYS
from resilience.spec.keys_soak import SOAK_KEYS
from resilience.spec.keys_stores import OPERATION_KEYS, STORE_KEYS
from resilience.spec.keys_truth import TRUTH_KEYS
from resilience.spec.keys_websocket import SUBSCRIPTIONS, WEBSOCKET_KEYS, WEBSOCKET_OPERATION
from resilience.spec.keys_workers import WORKER_KEYS, WORKERS
from resilience.spec.shapes import (
    ABORTS,
    DURATION,
    FLAG,
    LENGTH,
    NAME,
    OBJECTIVE,
    PATH,
    SIZE,
    STATUS,
    TEXT,
    THRESHOLDS,
    UNREAD,
    Shape,
    choice,
    count,
    listing,
    number,
    texts,
)
from resilience.spec.text import join


@dataclass(frozen=True, slots=True)
class Extension:
    """Our block of the file as a whole."""

    target: str
    load: Load
    objectives: tuple[Objective, ...] = ()
    thresholds: tuple[Threshold, ...] | None = None
    stack: StackSpec = field(default_factory=StackSpec)
    ledger: Ledger | None = None
    accounts: tuple[Account, ...] = ()
    degradation: Degradation = field(default_factory=Degradation)
    recovery: Recovery = field(default_factory=Recovery)
    service_level: ServiceLevel = field(default_factory=ServiceLevel)
    regression: Regression | None = None
    soak: Soak | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    balance: Balance | None = None
    scaling: Scaling | None = None
    safety: Safety = field(default_factory=Safety)
    search: Search | None = None
    capacity: Capacity | None = None
    observing: Observing = field(default_factory=Observing)


GROUPS: Mapping[str, str] = {"request": "What is sent."}
"""Keys that only hold other keys."""

KEYS: Mapping[type, tuple[Key, ...]] = {
    Extension: (
        Key("target", "target", TEXT, "What is tested, as reports call it."),
        Key("stack", "stack", block(StackSpec), "What runs the target and what it depends on."),
        Key("load", "load", block(Load), "How much load when, and of what."),
        Key("objectives", "objectives", listing(OBJECTIVE), "What must hold, and in which phase."),
        Key("thresholds", "thresholds", THRESHOLDS, "What must hold, as k6 writes it."),
        Key("ledger", "ledger", block(Ledger), "What is promised about writes; needed if an operation writes."),
        Key("accounts", "accounts", listing(block(Account)), "Further accounts of the ledger, each of one effect."),
        Key("degradation", "degradation", block(Degradation), "What degradation must look like, seen from outside."),
        Key("recovery", "recovery", block(Recovery), "What counts as recovered, and how soon it must be."),
        Key("service_level", "service_level", block(ServiceLevel), "What is promised of the service over a month."),
        Key("regression", "regression", block(Regression), "How a run is compared with earlier ones."),
        *PROMISED,
        Key("observe", "observing", block(Observing), "What is read of resources while the run lasts."),
        Key("safety", "safety", block(Safety), "Limits that hold whatever else the file asks for."),
        Key("search", "search", block(Search), "What `resilience search` looks for: where it breaks."),
        Key("capacity", "capacity", block(Capacity), "What `resilience capacity` measures: how throughput grows."),
    ),
    StackSpec: (
        Key("use", "use", choice("embedded", "compose", "kubernetes", "external"), "Which kind of stack."),
        Key("service", "service", block(Service), "How the target is started."),
        Key("programs", "programs", listing(block(Program)), "Further programs of the target: a worker, a provider."),
        Key(
            "postgres_disk_mb",
            "postgres_disk_mb",
            count(0, 2000),
            "Size of a small file system in memory for PostgreSQL's data, so that it can run full; 0 is the disk.",
        ),
        Key("postgres_replica", "postgres_replica", FLAG, "Whether a second PostgreSQL follows it: postgres-replica."),
    ),
    Service: (
        Key("command", "command", listing(TEXT, 1), "Program and arguments, one word each; `python` is this Python."),
        Key("environment", "environment", texts("Name → text."), "Environment variables, besides the stack's own."),
        Key("ready", "ready", PATH, "HTTP path that answers 200 once the target can serve."),
        Key("start_timeout", "start_timeout_s", LENGTH, "The target must be ready after this long."),
        Key("copies", "copies", count(1, 16), "How many run; more than one stand behind a load balancer."),
        Key("own_clock", "own_clock", FLAG, "Whether `process.clock` can move its clock: it runs with libfaketime."),
    ),
    Program: (
        Key("name", "name", NAME, "What the part is called; others find it in <NAME>_URL."),
        Key("command", "command", listing(TEXT, 1), "Program and arguments, one word each; `python` is this Python."),
        Key("environment", "environment", texts("Name → text."), "Environment variables, besides the service's."),
        Key("ready", "ready", PATH, "HTTP path that answers 200 once it can serve; without it, it does not listen."),
        Key("start_timeout", "start_timeout_s", LENGTH, "It must be ready after this long."),
        Key("own_clock", "own_clock", FLAG, "Whether `process.clock` can move its clock."),
    ),
    Load: (
        Key("rate", "rate", LEVEL, "Arrivals per second at which the run begins; or users."),
        Key(
            "users", "users", count(0, 1_000_000), "Users at the run's beginning, who wait for their answers; or rate."
        ),
        Key("think", "think", THINK, "How long a user thinks between an answer and the next operation."),
        Key("stages", "stages", STAGES, "The profile, from the run's beginning; the last level holds."),
        Key("profile", "profile", PROFILE, "Instead of stages: a shape that the load has once the baseline is over."),
        Key("arrivals", "arrivals", choice("constant", "poisson"), "Evenly spaced, or at random with the same mean."),
        Key("max_in_flight", "max_in_flight", count(1, 100_000), "Operations at once; arrivals beyond are dropped."),
        Key("keys", "keys", count(1, 10_000_000), "How many different values ${key} takes, from 0."),
        Key("zipf", "zipf", number(0, 10), "How skewed the keys are; 0 is uniform, 1 is classic."),
        Key("skew", "skew", block(Skew), "Instead of zipf: another way in which some keys are asked for more."),
        Key("data", "data", listing(block(DataField)), "Generated test data: ${data.NAME} in operations."),
        Key("feeder", "feeder", block(Feeder), "A file with test data: ${data.COLUMN} in operations."),
        Key("priority_header", "priority_header", HEADER, "Header in which requests say their priority: X-Priority."),
        Key("journeys", "journeys", listing(block(Journey)), "Several operations one after another, as one user does."),
        Key("tokens", "tokens", listing(block(Token)), "Bearer tokens: ${token.NAME} in operations."),
        Key("warm_up", "warm_up_s", DURATION, "Length of the phase before the baseline; may be 0s."),
        Key("baseline", "baseline_s", LENGTH, "Length of the phase that all others are compared with."),
        *SCRIPT_KEYS,
        Key("workers", "workers", WORKERS, "How many processes carry the load."),
        Key("tenants", "tenants", listing(block(Segment)), "On whose behalf operations are sent: ${tenant}."),
        Key("regions", "regions", listing(block(Region)), "From where operations are sent: ${region}."),
        Key("control", "control", block(Control), "A control group: keys that no fault on the others' way meets."),
        *SEEN,
        *SUBSCRIPTIONS,
        Key("operations", "operations", listing(block(Operation), 1), "The mix: kinds of requests and their shares."),
    ),
    **LOAD_KEYS,
    **MIX_KEYS,
    **WORKER_KEYS,
    **REGRESSION_KEYS,
    **OBSERVE_KEYS,
    Operation: (
        Key("name", "name", NAME, "Unique in the file; objectives and reports use it."),
        Key("weight", "weight", number(0), "Share of the mix; 0 is only in journeys, or gets tokens."),
        Key("role", "role", choice(*Role, kind=Role), "What it means to the write ledger."),
        Key(
            "request.method",
            "method",
            choice("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
            "HTTP method.",
        ),
        Key("request.path", "path", PATH, "Path and query; may hold ${key}, ${write_id}, ${acked_id}."),
        Key("request.headers", "headers", texts("Name → text."), "Headers; their values may hold the same."),
        Key("request.json", "json", Shape({}), "JSON body; its texts may hold the same and ${write_body}."),
        *OPERATION_KEYS,
        *WEBSOCKET_OPERATION,
        *LASTING_KEYS,
        Key("expect", "expect", block(Expect), "What makes an answer a good one."),
        Key("degraded", "degraded", block(Marker), "How an answer says that it is degraded."),
        Key(
            "rejected_status", "rejected_status", listing(STATUS), "Answers that certainly had no effect, by contract."
        ),
        Key("timeout", "timeout_s", LENGTH, "The client gives up after this long."),
        Key("critical", "critical", FLAG, "Whether it must hold under fault, or may fall back or be shed."),
        Key("shed", "shed", block(Shed), "That it may be shed in order: 429 or 503 that says when to come back."),
        Key(
            "priority", "priority", count(0, 1000), "Higher is never shed while lower is served; counts if they differ."
        ),
        Key("account", "account", NAME, "The account that it writes to, or reads back from; without it, `ledger`."),
        Key("deletes", "deletes", FLAG, "Of a write to an account of documents: whether it removes the object."),
    ),
    **STORE_KEYS,
    **WEBSOCKET_KEYS,
    **JOB_KEYS,
    **SOAK_KEYS,
    **SERVING_KEYS,
    Expect: (
        Key("status", "status", listing(STATUS, 1), "Accepted status codes."),
        Key("json", "json", texts("Dotted path → text."), "Dotted path in the JSON body → the text it must equal."),
    ),
    Marker: (
        Key("header", "header", TEXT, "A header that is present."),
        Key("json", "json", texts("Dotted path → text."), "Dotted path in the JSON body → the text it equals."),
        Key("value", "value", TEXT, "The text that the header must hold; without it any will do."),
        Key("status", "status", listing(STATUS), "Status codes that say it; those that are ok stand in expect, too."),
    ),
    Shed: (Key("at_most", "at_most", number(0, 1), "Share of its operations that may be shed in a fault phase."),),
    Degradation: (
        Key("dependencies", "dependencies", listing(block(Dependency)), "Whose calls are counted during the run."),
        Key("breakers", "breakers", listing(block(Breaker)), "Circuit breakers that must be seen to work."),
        Key("health", "health", block(Health), "What the target says of itself, beside what its clients see."),
    ),
    Health: (
        Key("operation", "operation", NAME, "The operation that asks the target how it is: /ready, /health."),
        Key("within", "within_s", LENGTH, "It must have noticed by then that a critical operation fails."),
    ),
    Dependency: (
        Key("name", "name", NAME, "Unique among the dependencies of the file."),
        Key("part", "part", NAME, "The part of the stack that is asked, directly, how often it was called."),
        Key("path", "path", PATH, "Where metrics are, of a part that is asked by HTTP."),
        Key("metric", "metric", listing(TEXT), 'Prometheus counters, added up: shop_cache_total{result="error"}.'),
        Key(
            "counts",
            "counts",
            choice("commands", "connections", "transactions", "metric"),
            "What is counted: of Redis commands or connections, of PostgreSQL transactions; else the metric.",
        ),
        Key("operations", "operations", listing(NAME), "Whose calls they are; all of them if left out."),
        Key(
            "amplification", "amplification", number(0, above=True), "Most calls per operation under a fault, × normal."
        ),
        Key("calls_per_operation", "calls_per_operation", number(0), "Most calls per operation under a fault."),
    ),
    Breaker: (
        Key("name", "name", NAME, "Unique among the breakers of the file."),
        Key("fault", "fault", NAME, "The fault, or group of faults, under which it must open."),
        Key("operations", "operations", listing(NAME, 1), "Operations that fall back while it is open."),
        Key("opens_within", "opens_within_s", LENGTH, "From the first operation that the fault met."),
        Key("closes_within", "closes_within_s", LENGTH, "From when the fault was seen gone."),
        Key("quick", "quick_s", LENGTH, "A fallback that takes longer waited for the dependency."),
        Key("fallbacks", "fallbacks", number(0, 1), "Share of quick fallbacks while it is open."),
        Key("calls", "calls", NAME, "The dependency whose counter shows who still calls it."),
        Key("calls_per_second", "calls_per_second", number(0), "The most calls that there may be while it is open."),
    ),
    Account: (
        Key("name", "name", NAME, "Unique in the file; operations name it."),
        Key("effect", "effect", choice(*Effect, kind=Effect), "What a write does, and what a row of the truth is."),
        Key("truth", "truth", block(Truth), "Where the truth about its writes is read."),
        Key(
            "duplicates",
            "duplicates",
            choice("exactly-once", "at-least-once", "at-most-once"),
            "What fails the run: lost and doubled; lost alone; doubled alone.",
        ),
        Key("ordered", "ordered", FLAG, "Whether order is promised; of documents, whether versions decide."),
        Key("read_your_writes", "read_your_writes", FLAG, "Whether reads after the acknowledgement see the write."),
        Key("objects", "objects", count(1, 1_000_000), "How many objects its writes are spread over, by ${key}."),
        Key("amount", "amount", count(1, 1_000_000), "The most that one write adds or transfers."),
        Key("initial", "initial", count(0, 10**12), "What each object of a transfer has at first."),
        Key("rows", "rows", count(1, 10_000), "Of insert: how many rows one write stores, all or none."),
        Key("min_acknowledged", "min_acknowledged", count(1, 10**9), "With fewer acknowledged writes: unknown."),
        Key("min_exposed", "min_exposed", count(1, 10**9), "Writes that each fault must have had a chance to lose."),
        Key("exposure", "exposure_s", DURATION, "How long before a fault an acknowledged write counts as exposed."),
    ),
    Ledger: (
        Key("truth", "truth", block(Truth), "Where the truth about writes is read."),
        Key(
            "duplicates",
            "duplicates",
            choice("exactly-once", "at-least-once"),
            "Whether a second effect of one write fails the run or is counted.",
        ),
        Key("ordered", "ordered", FLAG, "Whether one writer's entries are stored in the order of acknowledgement."),
        Key("read_your_writes", "read_your_writes", FLAG, "Whether reads after the acknowledgement see the entry."),
        Key("min_acknowledged", "min_acknowledged", count(1, 10**9), "With fewer acknowledged writes: unknown."),
        Key("min_exposed", "min_exposed", count(1, 10**9), "Writes that each fault must have had a chance to lose."),
        Key("exposure", "exposure_s", DURATION, "How long before a fault an acknowledged write counts as exposed."),
        Key("cache", "cache", block(CacheCopy), "Copies of entries in a cache that must equal the store."),
    ),
    **TRUTH_KEYS,
    **SEARCH_KEYS,
    Recovery: (
        Key("limit", "limit_s", LENGTH, "The most that recovery may take."),
        Key("hold", "hold_s", LENGTH, "How long things must be good again to count as recovered."),
        Key("latency_factor", "latency_factor", number(1), "Good: p95 at most the baseline's, times this."),
        Key("latency_floor", "latency_floor_s", DURATION, "Below this, latency is never bad."),
        Key(
            "gate",
            "gate",
            choice("each", "bound", "mean"),
            "What must be within the limit: each cycle, also the mean's upper bound, or the mean alone.",
        ),
    ),
    ServiceLevel: (
        Key("availability", "availability", number(0, 99.99999, above=True), "Promised availability in percent."),
        Key("satisfied", "satisfied_s", LENGTH, "An answer within this satisfies (T of Apdex)."),
        Key(
            "alert_scale",
            "alert_scale",
            number(0),
            "Burn-rate alerts are replayed with windows divided by this; 1 is as in production, 0 does not replay.",
        ),
    ),
    Safety: (
        Key("max_duration", "max_duration_s", LENGTH, "The run is reverted and stopped after this long."),
        Key("max_fault", "max_fault_s", LENGTH, "No fault may be planned for longer."),
        Key("max_at_once", "max_at_once", count(1, 100), "Parts that faults may be in place on at the same time."),
        Key("abort", "abort", ABORTS, "When the run is reverted and stopped, judged live over a window."),
        Key("heartbeat", "heartbeat_s", DURATION, "The target must have answered within this long; 0s does not look."),
        Key("min_free_disk", "min_free_disk_bytes", SIZE, "The run stops when less space is left for its record."),
        Key("grace", "grace_s", LENGTH, "How long after its planned end a fault is given back by force."),
        Key(
            "allow_modules",
            "allow_modules",
            listing(
                Shape(
                    {
                        "type": "string",
                        "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\.\*)?$",
                        "title": "Python module",
                        "examples": ["shop.chaos or shop.*"],
                    }
                )
            ),
            "Further Python modules that this file may name, besides ours, probes.* and chaosk8s.*.",
        ),
        Key("data_removal", "data_removal", listing(NAME), "Parts whose data a strike may remove for good."),
    ),
}
"""Every key of our block, in the order in which editors offer them."""


def default_of(kind: type, name: str) -> Any:  # noqa: ANN401 - defaults differ
    """The model's default of a field; MISSING if it must be given."""
    found: Field[Any] = next(each for each in fields(kind) if each.name == name)
    return found.default if found.default_factory is MISSING else found.default_factory()


def read_block(kind: type, data: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - any of KEYS
    """Read a block into its dataclass as far as it is right: a wrong value counts as left out.

    Returns:
        An instance of `kind`, or UNREAD if something that must be given is wrong or missing.
    """
    if not isinstance(data, Mapping):
        return UNREAD
    values: dict[str, Any] = {}
    for key in KEYS[kind]:
        place, found = path, data
        for step in key.path.split("."):
            place = join(place, step)
            found = found.get(step, UNREAD) if isinstance(found, Mapping) else UNREAD
        value = UNREAD if found is UNREAD else key.shape.take(found, place, findings)
        if value is not UNREAD:
            values[key.field] = value
        elif default_of(kind, key.field) is MISSING:
            return UNREAD
    return kind(**values)
