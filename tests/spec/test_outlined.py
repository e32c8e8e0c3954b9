"""What a load is, is shown before it is sent. Requirements E4, L1."""

from resilience.model import Journey, JourneyFunction, JourneyStep, Load, Operation, Profile, Stage, Think
from resilience.spec.outlined import CLOSED, load_figures, load_words
from resilience.spec.stages import laid_out
from resilience.spec.workers import peak_per_s

READ = (Operation(name="read", weight=1, method="GET", path="/"),)


def words(load: Load, until_s: float) -> str:
    return "; ".join(load_words(load, until_s))


def test_an_open_load_is_its_rate():
    """And no more words than needed."""
    assert words(Load(rate=250, operations=READ), 60) == "250 arrivals/s at first"
    assert load_figures(Load(rate=250, operations=READ), 60.0)["arrivals"] == 15_000


def test_a_profile_is_shown_with_its_course():
    """From when, until when, how high, and what follows."""
    spike = Profile(shape="spike", to=90, rise_s=0, hold_s=5, fall_s=0, rest_s=5, cycles=2)
    load = laid_out(Load(rate=30, operations=READ, warm_up_s=4, baseline_s=3.5, profile=spike))
    text = words(load, 40.0)
    assert text == "30 arrivals/s at first; profile spike from 10s until 30s, at most 90 arrivals/s; 30 from then on"
    assert load_figures(load, 40.0) | {"profile_s": 0} == {
        "model": "open", "level": 30.0, "most": 90, "last": 30.0, "profile": "spike", "profile_s": 0, "arrivals": 1800,
        "users": 0, "user_seconds": 0.0, "operations_at_most": None, "operations_per_arrival": 1.0,
    }  # fmt: skip


def test_stages_that_are_cut_off_are_told():
    """What is never sent, and the highest level that is really reached."""
    load = Load(rate=0, operations=READ, stages=(Stage(100, 1000),))
    assert "the phases end 1m before the stages do" in words(load, 40.0)
    assert "at most 400 arrivals/s" in words(load, 40.0)


def test_a_closed_load_says_what_it_hides():
    """And how much users can do at most, if answers take no time."""
    load = Load(users=40, operations=READ, think=Think(distribution="exponential", mean_s=2.0))
    text = words(load, 60.0)
    assert "40 users at first" in text
    assert "each thinks 2s in the mean (exponential) between an answer and the next operation, 1,200 operations" in text
    assert CLOSED in text
    figures = load_figures(load, 60.0)
    assert (figures["model"], figures["users"], figures["user_seconds"], figures["arrivals"]) == (
        "closed",
        40,
        2400.0,
        0,
    )
    restless = Load(users=1, operations=READ, think=Think(mean_s=0.0))
    assert load_figures(restless, 60.0)["operations_at_most"] is None


def test_a_wave_says_that_it_is_drawn():
    """Nobody takes it for a true sine."""
    wave = Profile(shape="sine", to=90, period_s=60)
    assert "drawn by straight lines" in words(laid_out(Load(rate=30, operations=READ, profile=wave)), 90.0)


def test_journeys_are_told_with_their_share_and_their_steps():
    """And how many operations an arrival is in the mean, which is what the generator must be able to send."""
    steps = tuple(JourneyStep(operation="read") for _ in range(4))
    function = JourneyFunction(module="shop.visits", name="visit", first="read")
    weight = sum(operation.weight for operation in READ)
    journeys = (
        Journey(name="buy", weight=2 * weight, steps=steps),
        Journey(name="free", weight=weight, function=function),
    )
    load = Load(rate=60, operations=READ, journeys=journeys)
    text = words(load, 40.0)
    assert "journey buy, 50% of the arrivals: read → read → read → read" in text
    assert "journey free, 25% of the arrivals: read → as shop.visits.visit decides" in text
    assert load_figures(load, 40.0)["operations_per_arrival"] == 2.5
    assert load_figures(Load(rate=60, operations=READ), 40.0)["operations_per_arrival"] == 1.0
    assert peak_per_s(load, 40.0) == 150.0
