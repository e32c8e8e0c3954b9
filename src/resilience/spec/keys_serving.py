"""Keys of what is promised about how load is let in and spread: rate limits, balancing, automatic scaling."""

from collections.abc import Mapping

from resilience.model import PhaseName
from resilience.model.profiles import Tracing
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.model.soak import Soak
from resilience.spec.key import Key, block
from resilience.spec.keys_mix import HEADER
from resilience.spec.keys_soak import RESOURCE
from resilience.spec.shapes import DURATION, LENGTH, NAME, STATUS, TEXT, choice, count, listing, number

PHASE = choice(*PhaseName, kind=PhaseName)

PROMISED = (
    Key("soak", "soak", block(Soak), "What must not grow while a load lasts."),
    Key("rate_limits", "rate_limits", listing(block(RateLimit)), "Limits of the target, to be kept both ways."),
    Key("balance", "balance", block(Balance), "That copies of the service share the load evenly."),
    Key("scaling", "scaling", block(Scaling), "That the number of replicas follows the load."),
)
"""Of the whole block."""

SEEN = (
    Key("served_by", "served_by", HEADER, "Header in which answers say which copy gave them: X-Served-By."),
    Key("tracing", "tracing", block(Tracing), "Sends some operations as the beginning of a trace."),
)
"""Of the load: what is asked of answers, and sent with operations, besides."""

SERVING_KEYS: Mapping[type, tuple[Key, ...]] = {
    RateLimit: (
        Key("name", "name", NAME, "Unique among the limits of the file."),
        Key("most", "most", number(0, 1_000_000, above=True), "Operations per second that are let in."),
        Key("per", "per", choice("all", "tenant"), "Whose operations are counted together."),
        Key("operations", "operations", listing(NAME), "Operations that are counted; all of them if left out."),
        Key("phase", "phase", PHASE, "Where it is judged; each phase of that name by itself."),
        Key("within", "within", number(0, 1, above=True), "How far what is let in may be from what should be."),
        Key("window", "window_s", LENGTH, "What the limit is counted over."),
        Key("burst", "burst", number(0, 1_000_000), "How many more are let in at once after a while of less."),
        Key("refused_with", "refused_with", STATUS, "The status of an answer that refuses, with Retry-After."),
    ),
    Balance: (
        Key("phases", "phases", listing(PHASE, 1), "Where it is judged; each by itself."),
        Key("copies", "copies", count(0, 1000), "How many copies there are; 0 is as many as the stack starts."),
        Key("within", "within", number(0, 1, above=True), "How far a copy's share may be from the even one."),
        Key("operations", "operations", listing(NAME), "Operations that are counted; all of them if left out."),
    ),
    Tracing: (
        Key("share", "share", number(0, 1, above=True), "Share of the operations, drawn by the seed."),
        Key("header", "header", choice("w3c", "xray"), "traceparent (W3C), or X-Amzn-Trace-Id."),
        Key("link", "link", TEXT, "Where a trace can be looked at; ${trace_id} stands for its id."),
    ),
    Scaling: (
        Key("resource", "resource", RESOURCE, "The resource that says how many replicas serve."),
        Key("per_replica", "per_replica", number(0, above=True), "Operations per second that one is meant for."),
        Key("of", "of", NAME, "The part that it is of."),
        Key("least", "least", count(0, 100_000), "The fewest replicas."),
        Key("most", "most", count(1, 100_000), "The most replicas."),
        Key("up_within", "up_within_s", LENGTH, "From when more were needed until they were there and stayed."),
        Key("down_within", "down_within_s", LENGTH, "From when fewer were needed until the others were gone."),
        Key("overshoot", "overshoot", number(0), "Replicas more than needed, at most, as a share of those."),
        Key("settle", "settle_s", DURATION, "A number counts as reached once it stayed for so long."),
        Key("price_per_hour", "price_per_hour", number(0), "Of one replica, in whatever currency."),
    ),
}
