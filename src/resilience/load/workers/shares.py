"""Who carries what when several workers carry one load. Pure arithmetic.

The schedule is the same whoever asks for it (see `spec.profile` and `spec.mix`), so nothing has to be handed out while
the load runs: of n workers, the one with index i takes the arrivals whose index leaves i when divided by n.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from resilience.model import Share


def name_of(share: Share) -> str:
    """How the files of a share are called, and the worker that writes them."""
    return "load" if share.of == 1 else f"load-{share.index + 1}"


def of_share(schedule: Iterable[int], share: Share) -> Iterator[tuple[int, int]]:
    """The arrivals of a share: index in the whole schedule and instant, in order."""
    return islice(enumerate(schedule), share.index, None, share.of)


def slots(total: int, share: Share) -> range:
    """The slots of a share: all shares together have each slot of `total` once, and none has two more than another."""
    return range(total * share.index // share.of, total * (share.index + 1) // share.of)


def share_of_user(user: int, total: int, of: int) -> int:
    """The share that has a user of a closed load, counted from 1: they take turns as long as all have slots left.

    So any number of users is spread as evenly as can be, and no share has more of `total` users than slots.
    """
    turn, place = divmod(user - 1, of)
    if turn < total // of:
        return place
    larger = [index for index in range(of) if len(slots(total, Share(index, of))) > total // of]
    return larger[place]


def own_object(number: int, objects: int, share: Share) -> int:
    """The object of this share that stands for an object of all: versions of one object are given by one worker only.

    Objects are numbered 0 … objects−1; a share has those that leave its index when divided by the number of shares. If
    there are fewer objects than shares, it may have none: then the answer is its index, an object beyond the others.
    """
    own = number - number % share.of + share.index
    return own if own < objects or own < share.of else own - share.of


def not_among(scheduled: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places in `scheduled` of the instants that `found` lacks.

    Args:
        scheduled: instants of arrivals, growing; several may be the same.
        found: instants of the samples that there are, in any order.
    """
    found = np.sort(found)
    # How often each instant was found, and the place of each arrival among those of the same instant.
    times = np.searchsorted(found, scheduled, side="right") - np.searchsorted(found, scheduled, side="left")
    place = np.arange(len(scheduled)) - np.searchsorted(scheduled, scheduled, side="left")
    return np.flatnonzero(place >= times)
