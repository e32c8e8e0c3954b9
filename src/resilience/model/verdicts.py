"""What is said of a run: answers, parts, the verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from resilience.model.basics import Json


class Answer(Enum):
    """Pass, unknown or fail, from best to worst. Combining takes the worst; nothing at all is unknown."""

    PASS = "pass"  # noqa: S105 - not a password
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """0 for pass, 1 for unknown, 2 for fail."""
        return list(Answer).index(self)

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 2 unknown."""
        return {Answer.PASS: 0, Answer.FAIL: 1, Answer.UNKNOWN: 2}[self]

    @staticmethod
    def worst(answers: Iterable["Answer"]) -> "Answer":
        """The worst of the answers; unknown if there is none."""
        return max(answers, key=lambda answer: answer.severity, default=Answer.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Part:
    """The verdict of one checker.

    Attributes:
        name: `objectives`, `recovery`, `writes`, …
        because: one sentence with the numbers.
        evidence: further sentences or values, most telling first, JSON only.
        data: what the checker adds to `verdict.json` at top level (`{"recovery": {…}}`).
    """

    name: str
    answer: Answer
    because: str
    evidence: tuple[Json, ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer, because, evidence and parts; `document` is the whole of `verdict.json`."""

    answer: Answer
    because: str
    parts: tuple[Part, ...]
    document: Mapping[str, Json]
