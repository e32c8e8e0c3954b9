"""A flame graph as SVG without scripts: a box for each frame, as wide as its share of all samples, its callees above.

Shares are of samples, so of the time in which the program did not wait. Whatever is below a share of `LEAST` is left
out. Brendan Gregg, "The Flame Graph", Communications of the ACM 59(6), 2016; drawn from the top down ("icicle").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from resilience.model.resources import Profile
from resilience.text import printable

WIDTH, ROW = 1000.0, 17
LEAST = 0.003
DEEPEST = 48
_CHARACTER = 6.2
"""Width of a character of the text in a box, near enough to cut it."""
_TONES = ("#f6c177", "#f4a261", "#eb8b60", "#e9c46a", "#e5989b", "#d9a5b3")


@dataclass(slots=True)
class _Frame:
    """A function as called from where it was called."""

    name: str
    samples: int = 0
    below: dict[str, "_Frame"] = field(default_factory=dict)


def tree(stacks: Sequence[tuple[Sequence[str], int]]) -> _Frame:
    """All stacks in one, from the outermost frame in."""
    root = _Frame("all")
    for frames, number in stacks:
        at = root
        at.samples += number
        for name in frames[:DEEPEST]:
            at = at.below.setdefault(name, _Frame(name))
            at.samples += number
    return root


def flame_graph(profile: Profile) -> Markup:
    """The profile as a picture; each box says on hovering what it is and its share."""
    root = tree(profile.stacks)
    boxes = list(_boxes(root, 0.0, 0, max(1, root.samples)))
    rows = 1 + max((row for _, _, row, _ in boxes), default=0)
    body = Markup("").join(_box(frame, x, row, share) for frame, x, row, share in boxes)
    label = f"Flame graph of {profile.of} in {profile.phase}"
    return Markup(
        '<svg class="flames" viewBox="0 0 {width} {height}" width="100%" role="img" aria-label="{label}"'
        ' font-family="ui-monospace, Menlo, Consolas, monospace" font-size="10.5">{body}</svg>'
    ).format(width=int(WIDTH), height=rows * ROW, label=printable(label, 200), body=body)


def top(profile: Profile, most: int = 10) -> list[tuple[str, float]]:
    """The frames in which the program itself was, rather than what they called, with their shares of samples."""
    own: dict[str, int] = {}
    for frames, number in profile.stacks:
        own[frames[-1]] = own.get(frames[-1], 0) + number
    ordered = sorted(own.items(), key=lambda one: (-one[1], one[0]))
    return [(name, number / profile.samples) for name, number in ordered[:most]]


def _boxes(frame: _Frame, x: float, row: int, whole: int) -> Iterator[tuple[_Frame, float, int, float]]:
    share = frame.samples / whole
    if share < LEAST:
        return
    yield frame, x, row, share
    for below in sorted(frame.below.values(), key=lambda one: one.name):
        yield from _boxes(below, x, row + 1, whole)
        x += below.samples / whole


def _box(frame: _Frame, x: float, row: int, share: float) -> Markup:
    width = share * WIDTH
    letters = int((width - 6) / _CHARACTER)
    name = printable(frame.name, 200)
    shown = name if len(name) <= letters else f"{name[: letters - 1]}…" if letters > 3 else ""  # noqa: PLR2004 - a word
    text = Markup('<text x="{x:.1f}" y="{y}" fill="#1c1917">{shown}</text>').format(
        x=x * WIDTH + 3, y=row * ROW + 12, shown=shown
    )
    return Markup(
        '<g><title>{name}: {percent:.1f} % of samples</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}"'
        ' height="{height}" fill="{tone}" stroke="#fff" stroke-width="0.6"/>{text}</g>'
    ).format(
        name=name,
        percent=share * 100,
        x=x * WIDTH,
        y=row * ROW,
        width=width,
        height=ROW - 1,
        tone=_TONES[sum(map(ord, frame.name.partition(" (")[0])) % len(_TONES)],
        text=text if shown else Markup(""),
    )
