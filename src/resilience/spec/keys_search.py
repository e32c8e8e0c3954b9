"""Keys of a break-point search and of a capacity run."""

from collections.abc import Mapping

from resilience.model import Capacity, Prices, Search
from resilience.spec.key import Key, block
from resilience.spec.shapes import DURATION, FLAG, LENGTH, NAME, OBJECTIVE, TEXT, choice, count, listing, number

_LEVEL = number(0, 1_000_000)
_MOST_USERS = 100_000

SEARCH_KEYS: Mapping[type, tuple[Key, ...]] = {
    Search: (
        Key("over", "over", choice("rate", "users", "fault"), "What is made harder: the load, or a fault's setting."),
        Key("fault", "fault", NAME, "Of over: fault, which of the method's."),
        Key("setting", "setting", TEXT, "Of over: fault, which of its settings, a number."),
        Key("start", "start", _LEVEL, "The mildest level, which the target is expected to bear."),
        Key("limit", "limit", _LEVEL, "The hardest that may be tried; below start where less is harder."),
        Key("objectives", "objectives", listing(OBJECTIVE, 1), "What must hold: p, med, rate, availability, …"),
        Key("step", "step_s", LENGTH, "How long a level is measured, unless it must be extended."),
        Key("settle", "settle_s", DURATION, "What is left out at the beginning of each step."),
        Key("confirm", "confirm_s", LENGTH, "How long the last level that held is measured again."),
        Key("precision", "precision", number(0.001, 0.5), "Width of the answer's interval, as a share of it."),
        Key("must_hold", "must_hold", _LEVEL, "The verdict fails if this level does not hold."),
        Key("faults", "faults", listing(NAME), "The search is made healthy, and again with each of these in place."),
        Key("step_down", "step_down", FLAG, "Whether it is seen, after it broke, if the level that held holds again."),
    ),
    Capacity: (
        Key("users", "users", listing(count(1, _MOST_USERS), 6), "How many at once, who never think; ascending."),
        Key("copies", "copies", listing(count(1, 16)), "How many copies of the service, one after the other."),
        Key("step", "step_s", LENGTH, "How long each number of users is measured."),
        Key("settle", "settle_s", DURATION, "What is left out at the beginning of each."),
        Key("objectives", "objectives", listing(OBJECTIVE), "What must hold for throughput to count."),
        Key("demand", "demand", number(0, above=True), "Requests per second that are to be served."),
        Key("headroom", "headroom", number(0, 10), "How much more than the demand is to be there, as a share of it."),
        Key("prices", "prices", block(Prices), "What running it costs."),
    ),
    Prices: (
        Key("copy_hour", "copy_hour", number(0), "One copy of the service for an hour."),
        Key("fixed_hour", "fixed_hour", number(0), "Everything else that it needs, for an hour."),
        Key("currency", "currency", TEXT, "What that is in."),
    ),
}
