"""Keys of what is read of resources while a run lasts, and of what must hold of them."""

from collections.abc import Mapping

from resilience.model import (
    COLLECTED,
    KubernetesMetrics,
    Metrics,
    Observing,
    PhaseName,
    ProfileOf,
    PrometheusServer,
    Query,
    Taken,
)
from resilience.spec.key import VARIABLE, Key, block
from resilience.spec.resources import read_limit
from resilience.spec.shapes import LENGTH, NAME, PATH, TEXT, Shape, choice, count, listing, number

METRIC_NAME = Shape(
    {
        "type": "string",
        "pattern": r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$",
        "title": "name of a series",
        "examples": ["pool.used"],
    }
)
URL = Shape(
    {"type": "string", "pattern": "^https?://[^/\\s]+", "title": "address", "examples": ["http://127.0.0.1:9090"]}
)
LIMIT = Shape(
    {
        "type": "object",
        "title": "limit of a resource",
        "properties": {
            "resource": {"title": "Resource", "description": "Name of the series.", "type": "string", "minLength": 1},
            "of": {
                "title": "Of",
                "description": "What it is of: a part, host; may be left out where there is only one.",
                "type": "string",
                "minLength": 1,
            },
            "expression": {
                "title": "Expression",
                "description": "avg, min, max, med or p(N), compared with a number, or with % of its limit; @ PHASE.",
                "type": "string",
            },
        },
        "required": ["resource", "expression"],
        "additionalProperties": False,
        "examples": ["{resource: postgres.connections, expression: 'max<80% @ fault'}"],
    },
    read_limit,
)

OBSERVE_KEYS: Mapping[type, tuple[Key, ...]] = {
    Observing: (
        Key("period", "period_s", LENGTH, "How often resources are read."),
        Key(
            "collect",
            "collect",
            listing(choice(*COLLECTED)),
            "What is read without being named below; all of it on an embedded stack, nothing on another.",
        ),
        Key("streams", "streams", listing(TEXT), "Streams of Redis whose length and groups are read."),
        Key("metrics", "metrics", listing(block(Metrics)), "Programs that show metrics to Prometheus."),
        Key("prometheus", "prometheus", listing(block(PrometheusServer)), "Prometheus servers, asked by query."),
        Key("kubernetes", "kubernetes", listing(block(KubernetesMetrics)), "Pods, by metrics.k8s.io."),
        Key("profile", "profile", listing(block(ProfileOf)), "Python programs profiled by py-spy, and when."),
        Key("limits", "limits", listing(LIMIT), "What must hold of resources, judged with the objectives."),
    ),
    Metrics: (
        Key("part", "part", NAME, "The part of the stack that shows them; or url."),
        Key("url", "url", URL, "Address of a program outside of the stack."),
        Key("path", "path", PATH, "Where it shows them."),
        Key("take", "take", listing(block(Taken), 1), "Which of them."),
        Key("token", "token", VARIABLE, "Environment variable that holds a bearer token."),
    ),
    Taken: (
        Key("name", "name", METRIC_NAME, "What the series is called."),
        Key("metric", "metric", TEXT, "Its metric; samples with these labels are added up."),
        Key("limit", "limit", number(0, above=True), "The most that it can be."),
        Key("limit_metric", "limit_metric", TEXT, "The metric that says the most that it can be."),
    ),
    PrometheusServer: (
        Key("url", "url", URL, "Its address."),
        Key("queries", "queries", listing(block(Query), 1), "What it is asked."),
        Key("token", "token", VARIABLE, "Environment variable that holds a bearer token."),
    ),
    Query: (
        Key("name", "name", METRIC_NAME, "What the series is called."),
        Key("query", "query", TEXT, "PromQL, answered for now."),
        Key("limit", "limit", number(0, above=True), "The most that it can be."),
    ),
    KubernetesMetrics: (
        Key("namespace", "namespace", NAME, "Of the pods."),
        Key("selector", "selector", TEXT, "Labels that they have: app=cart."),
        Key("context", "context", TEXT, "Of the client's configuration; the present one if left out."),
    ),
    ProfileOf: (
        Key("part", "part", NAME, "The part, a Python program."),
        Key("phase", "phase", choice(*PhaseName, kind=PhaseName), "In which phase it is profiled."),
        Key("fault", "fault", NAME, "The fault of that phase; the first phase of that name if left out."),
        Key("duration", "duration_s", LENGTH, "At most so long."),
        Key("rate", "rate", count(1, 1000), "Samples per second."),
    ),
}
