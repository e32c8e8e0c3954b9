"""What a program shows to Prometheus, in the text format: its samples, and choosing among them; pure."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_LINE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?", re.ASCII)
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"', re.ASCII)
_WORDS = 4
"""Of a line that says a type: `# TYPE name counter`."""

Selector = tuple[str, Mapping[str, str]]
"""A metric's name, and labels that its samples must have among theirs."""


class Sample(NamedTuple):
    """One line.

    Attributes:
        text: its value as written.
        kind: `counter`, `gauge`, … of a line that says what the metric `name` is; empty for a sample.
    """

    name: str
    labels: Mapping[str, str]
    text: str
    kind: str = ""

    @property
    def value(self) -> float:
        """Its value. Raises ValueError if it is no number."""
        return float(self.text)


def samples_of(text: str) -> Iterator[Sample]:
    """The samples and types of the text format; lines that are neither are passed over."""
    for line in text.splitlines():
        if line.startswith("#"):
            words = line.split()
            if len(words) >= _WORDS and words[1] == "TYPE":
                yield Sample(words[2], {}, "", words[3])
            continue
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            yield Sample(match["name"], dict(_LABEL.findall(match["labels"] or "")), match["value"])


def selector(text: str) -> Selector:
    """A metric as somebody names it: `shop_cache_total{result="error"}`.

    Raises:
        ValueError: it is no name of a metric.
    """
    match = _LINE.fullmatch(f"{text.strip()} 0")
    if match is None:
        raise ValueError(f'{text!r} is no metric: expected a name such as shop_cache_total{{result="error"}}')
    return match["name"], dict(_LABEL.findall(match["labels"] or ""))


def matches(sample: Sample, wanted: Selector) -> bool:
    """Whether a sample is one of those."""
    name, labels = wanted
    return sample.name == name and labels.items() <= sample.labels.items()


def is_counter(name: str, kinds: Mapping[str, str]) -> bool:
    """Whether a metric only grows: as it says itself, else by what its name ends with."""
    for end in ("", "_total", "_count", "_sum", "_bucket"):
        kind = kinds.get(name.removesuffix(end) if end else name)
        if kind in {"counter", "histogram", "summary"} and (end or kind == "counter"):
            return True
        if kind is not None:
            return False
    return name.endswith(("_total", "_count", "_sum", "_bucket"))
