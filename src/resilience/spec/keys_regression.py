"""The keys of comparisons: with earlier runs, and of two groups in the same run."""

from collections.abc import Mapping

from resilience.model import Control, Regression
from resilience.model.regression import SUBJECTS
from resilience.spec.key import Key
from resilience.spec.shapes import DURATION, LENGTH, TEXT, choice, listing, number

REGRESSION_KEYS: Mapping[type, tuple[Key, ...]] = {
    Regression: (
        Key("baseline", "baseline", TEXT, "File with earlier runs, relative to this file."),
        Key("margin", "margin", number(0, 10, above=True), "Share by which a figure may be worse without harm."),
        Key("floor", "floor_s", DURATION, "A difference of response times below this is none."),
        Key("share_floor", "share_floor", number(0, 1), "A difference of shares below this is none."),
        Key("require", "require", listing(choice(*SUBJECTS)), "Of what *not enough data* makes the verdict unknown."),
    ),
    Control: (
        Key("share", "share", number(0.01, 0.99), "Share of the keys that go by the way on which the fault is."),
        Key(
            "slower_than",
            "slow_s",
            LENGTH,
            "An answer that takes longer is not good; without it, the band of `recovery` counts.",
        ),
        Key("margin", "margin", number(0, 1, above=True), "Share by which good answers may be fewer in that group."),
    ),
}
