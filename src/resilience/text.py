"""How figures and foreign texts are shown, the same everywhere: terminal, log lines and reports.

A figure is rounded for reading, never so far that it says something else: a share that is not zero is not shown as
zero, one that is not whole is not shown as 100 %.
"""

import math
import unicodedata

ABSENT = "–"
"""Shown for a figure that does not exist."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that cannot be seen, or that change how their neighbours are seen."""


def printable(text: str, limit: int = 0) -> str:
    r"""A text in one line in which nothing is hidden: control and formatting characters are escaped (`\x1b`).

    Args:
        text: from anywhere.
        limit: cut to this many characters, ending in `…`; 0 is no limit.
    """
    shown = "".join(_escaped(char) if unicodedata.category(char) in _HIDDEN else char for char in text)
    return shown if not limit or len(shown) <= limit else shown[: limit - 1] + "…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def milliseconds(value: float | None) -> str:
    """`0.42 ms`, `12.3 ms`, `850 ms`, `12.3 s`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if abs(value) >= 10_000:  # noqa: PLR2004 - from here on seconds read better
        return f"{value / 1000:.1f} s"
    return f"{_three_digits(value)} ms"


def seconds(value: float | None) -> str:
    """`0.01 s`, `8.25 s`, `79.4 s`, `5 min 20 s`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if abs(value) < 120:  # noqa: PLR2004 - two minutes
        return f"{_three_digits(value)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def instant(value: float | None) -> str:
    """An instant of the run to the hundredth of a second: `19.05 s`."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.2f} s"


def percent(share: float | None) -> str:
    """A share of 1 as `0 %`, `0.25 %`, `12.5 %`, `<0.01 %`, `>99.99 %`."""
    if share is None or not math.isfinite(share):
        return ABSENT
    value = 100.0 * share
    if 0 < value < 0.01:  # noqa: PLR2004 - what two decimals can show
        return "<0.01 %"
    if 99.99 < value < 100:  # noqa: PLR2004 - as above
        return ">99.99 %"
    digits = 2 if value < 10 or 99 < value < 100 else 1  # noqa: PLR2004 - three digits, or near the whole
    return f"{_trimmed(f'{value:.{digits}f}')} %"


def count(value: float | None) -> str:
    """`1,234`."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """A number per second: `0.4`, `249.8`, `12,345`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:,.0f}" if abs(value) >= 1000 else _trimmed(f"{value:.1f}")  # noqa: PLR2004 - digits that matter


def clock(at_s: float) -> str:
    """An instant of the run: `01:23`, `1:02:03`."""
    whole = int(max(0.0, at_s)) if math.isfinite(at_s) else 0
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def _three_digits(value: float) -> str:
    size = abs(value)
    if size and size < 0.001:  # noqa: PLR2004 - fewer than three decimals would be zero
        return f"{value:.1g}"
    digits = 3 if size < 0.1 else 2 if size < 10 else 1 if size < 100 else 0  # noqa: PLR2004 - three digits
    return _trimmed(f"{value:.{digits}f}")


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
