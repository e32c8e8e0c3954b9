"""From signs to the few places that are named: what lies behind comes first, and what came first counts.

The score of a place is that of its strongest sign (0 to 1, see `signs`), with up to a quarter more for further signs,
plus

* 0.15 if it was seen no later than service suffered, as exactly as readings tell; minus 0.3 if clearly later, by more
  than a quarter of the window (what grows with the load takes its time): what comes after is no beginning;
* up to 0.1 for its rank correlation with the response time, which for two things that both follow the load is high in
  any case, so it only decides between equals.

Below `LEAST` a place is not named: then the answer is that no bottleneck was found. Two places whose scores are closer
than `APART` are both named, and that they cannot be told apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resilience.judge.bottlenecks.places import Place
from resilience.judge.bottlenecks.signs import Sign
from resilience.judge.bottlenecks.windows import Window

LEAST = 0.5
APART = 0.1
NAMED = 3
"""At most so many are named."""

LATE = 0.25
BEFORE, AFTER, FOLLOWS, FURTHER = 0.15, 0.3, 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place with what was seen there, most telling first."""

    place: Place
    of: str
    score: float
    signs: tuple[Sign, ...]


def rank(signs: Iterable[Sign], window: Window) -> tuple[Candidate, ...]:
    """The places, best first; none if nothing was strong enough."""
    by_place: dict[Place, list[Sign]] = {}
    for sign in signs:
        by_place.setdefault(sign.place, []).append(sign)
    found = [_candidate(place, some, window) for place, some in by_place.items()]
    found = [candidate for candidate in found if candidate.score >= LEAST]
    return tuple(sorted(found, key=lambda one: (-one.score, one.place))[:NAMED])


def apart(candidates: Sequence[Candidate]) -> bool:
    """Whether the first of them is clearly ahead of the second."""
    return len(candidates) < 2 or candidates[0].score - candidates[1].score >= APART  # noqa: PLR2004 - a first, a second


def _candidate(place: Place, signs: list[Sign], window: Window) -> Candidate:
    scored = sorted(((_score(sign, window), sign) for sign in signs), key=lambda pair: -pair[0])
    more = sum(max(0.0, score) for score, _ in scored[1:])
    score = scored[0][0] + min(FURTHER, FURTHER * more)
    return Candidate(place, scored[0][1].of, score, tuple(sign for _, sign in scored))


def _score(sign: Sign, window: Window) -> float:
    evidence = sign.evidence
    score = sign.strength
    at_s = evidence.begun_s
    if at_s is not None:
        about_s = 2 * evidence.period_s + window.resolution_s
        late_s = max(2 * about_s, LATE * (window.end_s - window.start_s))
        score += BEFORE if at_s <= window.start_s + about_s else -AFTER if at_s > window.start_s + late_s else 0.0
    if evidence.follows is not None:
        score += FOLLOWS * abs(evidence.follows)
    return score
