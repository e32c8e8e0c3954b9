"""Calls a user's function and says what it yields, a row on each line: `python -m resilience.observe.asked`.

A process of its own (see `truth_function`): what the function prints, raises, or never ends is no harm to the run. Its
standard input says what to call; its standard output is ours alone, the function's goes where errors go.

Lines are `[id, body, position]`; the last is `{"rows": n}`, or `{"error": text}`. Without a last line it was cut short.
"""

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_BATCH = 500
_MOST = 2**63
_WANTED = "an id, a body (texts) and a position (a whole number)"


def main() -> int:
    """Call it; the exit code is 0 if all rows were said, or why not."""
    order: Mapping[str, Any] = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _bound(float(order["timeout_s"]))
    sys.path[1:1] = [str(folder) for folder in order["folders"]]
    count, batch = 0, []
    try:
        function = getattr(importlib.import_module(order["module"]), order["name"])
        for row in rows_of(function(order["prefix"], order["place"], **order["arguments"])):
            batch.append(json.dumps(row))
            count += 1
            if len(batch) == _BATCH:
                out.write("\n".join(batch) + "\n")
                batch.clear()
        last: dict[str, object] = {"rows": count}
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises is shown
        batch.clear()
        last = {"error": f"{type(error).__name__}: {error}"[:2000]}
    out.write("".join(f"{line}\n" for line in batch) + json.dumps(last) + "\n")
    out.flush()
    return 0


def rows_of(found: object) -> Iterator[tuple[str, str, int]]:
    """The rows in what a function returned.

    Raises:
        TypeError: it returned something else, or one of them is none.
    """
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
        raise TypeError(f"returned {found!r:.80}; rows were expected, each {_WANTED}")
    for row in found:
        if not _is_row(row):
            raise TypeError(f"yielded {row!r:.80}; {_WANTED} were expected")
        yield row[0], row[1] or "", row[2]


def _is_row(row: Any) -> bool:  # noqa: ANN401 - whatever a user's function yields
    if not isinstance(row, tuple | list) or len(row) != 3:  # noqa: PLR2004 - an entry
        return False
    entry_id, body, position = row
    texts = isinstance(entry_id, str) and isinstance(body, str | None)
    return texts and isinstance(position, int) and not isinstance(position, bool) and -_MOST <= position < _MOST


def _bound(timeout_s: float) -> None:
    """End without help when the runner is gone; be the first to go when memory is short; leave no core file."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, timeout_s + 5)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
