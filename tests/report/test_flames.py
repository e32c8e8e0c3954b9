"""Flame graphs: boxes as wide as their share, their callees below, nothing that a browser would take for more."""

import re

from resilience.model.resources import Profile
from resilience.report.flames import flame_graph, top, tree

STACKS = (
    (("main (a.py:1)", "serve (a.py:9)", "query (b.py:3)"), 60),
    (("main (a.py:1)", "serve (a.py:9)"), 20),
    (("main (a.py:1)", "<module>&"), 19),
    (("main (a.py:1)", "rare"), 0),
)


def test_frames_are_added_up_from_the_outermost_in():
    """What two stacks have in common is one box."""
    root = tree(STACKS)
    main = root.below["main (a.py:1)"]
    assert (root.samples, main.samples, main.below["serve (a.py:9)"].samples) == (99, 99, 80)


def test_boxes_are_as_wide_as_their_share_and_below_who_called_them():
    """In order of names, side by side."""
    picture = str(flame_graph(Profile("service", "baseline", STACKS)))
    found = {
        name: (float(x), int(y), float(width))
        for name, x, y, width in re.findall(
            r'<title>([^:]*?)(?: \([^)]*\))?: [^<]*</title><rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"', picture
        )
    }
    assert found["all"] == (0.0, 0, 1000.0)
    x, y, width = found["query"]
    assert (y, width) == (3 * 17, 606.1)
    assert x == found["serve"][0]
    assert found["serve"][0] == found["&lt;module&gt;&amp;"][2]
    assert "rare" not in picture
    assert "<module>" not in picture


def test_functions_by_their_own_share():
    """Where it was itself, not what it called."""
    assert top(Profile("service", "baseline", STACKS))[:2] == [("query (b.py:3)", 60 / 99), ("serve (a.py:9)", 20 / 99)]
