"""Profiles on disk: `resources/profiles/PART@PHASE.collapsed`, a line for each stack, as flame graphs are made from.

`module (file:line);function (file:line) 42` is 42 samples with these frames, from the outermost in. Tools such as
speedscope open these files as they are.
"""

from pathlib import Path
from urllib.parse import quote, unquote

from resilience.model.resources import Profile

PROFILES = "profiles"
ENDING = ".collapsed"
MOST = 20_000
"""So many different stacks of one profile are read, the most frequent ones."""


def profile_name(of: str, phase: str) -> str:
    """The file of a profile."""
    return f"{quote(of, safe='')}@{quote(phase, safe='()')}{ENDING}"


def read_profiles(folder: Path) -> tuple[Profile, ...]:
    """All profiles; lines that are none are passed over, and what cannot be read is not there."""
    found = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        of, _, phase = path.name.removesuffix(ENDING).partition("@")
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        stacks = []
        for line in lines:
            frames, _, number = line.rpartition(" ")
            if frames and number.isdigit():
                stacks.append((tuple(frames.split(";")), int(number)))
        stacks.sort(key=lambda stack: (-stack[1], stack[0]))
        found.append(Profile(unquote(of), unquote(phase), tuple(stacks[:MOST])))
    return tuple(found)
