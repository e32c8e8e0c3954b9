"""A capacity run on a running session: one number of users after the other, each settled, measured and written down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from resilience.drill.search.conduct import Steered
from resilience.drill.search.steps import Measurer
from resilience.judge.search.machine import Seen
from resilience.judge.search.step import Judged
from resilience.judge.search.told import LEVEL

ONCE: Final = (1,)
TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Climber:
    """See the module.

    Attributes:
        means: the session's.
        measurer: measures; nothing is extended, so that all levels are measured alike.
        step_s: for how long.
        say: told of every level.
    """

    means: Steered
    measurer: Measurer
    step_s: float
    say: Callable[[int, Judged], None]

    def climb(self, users: Sequence[int]) -> None:
        """Measure with each number of users; one more time where the generator was the limit.

        Raises:
            Interrupted: the run was told to stop.
        """
        for count in users:
            for _ in range(TRIES):
                judged = self.measurer.measure(self.means.level(count), None, step_s=self.step_s, looks=ONCE)
                self.say(count, judged)
                if judged.seen is not Seen.SPOILED:
                    break
            self.means.note(
                LEVEL,
                f"{count} users: {judged.rps:.1f}/s, {judged.seen}",
                users=count,
                start_s=judged.start_s,
                end_s=judged.end_s,
            )
