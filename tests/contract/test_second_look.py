"""`scripts/second-look`: live tests that failed beside others are run once more; nothing else is forgiven."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/second-look"
PROJECT = '[tool.pytest.ini_options]\nmarkers = ["stack: live"]\n'
LIVE = """
import pathlib, pytest
seen = pathlib.Path("seen")

@pytest.mark.stack
@pytest.mark.parametrize("number", range({count}))
def test_live(number):
    before = seen.exists()
    (seen if number == {count} - 1 else pathlib.Path("other")).touch()
    assert before or {broken} is None
"""
PURE = "def test_pure():\n    assert False\n"


def look(folder: Path, *, live: str = "", pure: str = "") -> tuple[int, str]:
    """Run a suite of such tests, then the script; its exit code and what it said."""
    (folder / "pyproject.toml").write_text(PROJECT)
    for name, text in (("test_live.py", live), ("test_pure.py", pure)):
        if text:
            (folder / name).write_text(text)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"]
    subprocess.run(pytest_, cwd=folder, capture_output=True, check=False, timeout=60)
    done = subprocess.run([SCRIPT, sys.executable], cwd=folder, capture_output=True, check=False, timeout=60, text=True)
    return done.returncode, done.stdout + done.stderr


def test_what_passes_by_itself_is_named_unstable(tmp_path):
    """A live test fails beside others and passes alone: green, and named."""
    code, said = look(tmp_path, live=LIVE.format(count=1, broken=0))
    assert code == 0
    assert "UNSTABLE, to be mended" in said
    assert "test_live.py::test_live[0]" in said


@pytest.mark.parametrize(
    ("live", "pure", "words"),
    [
        (LIVE.format(count=1, broken=0).replace("before or", "False and"), "", "1 failed"),
        (LIVE.format(count=1, broken=0), PURE, "tests that start no servers failed too"),
        (LIVE.format(count=6, broken=0), "", "6 live tests failed; from 1 to 5 are run again"),
        (LIVE.format(count=1, broken=None), "", "ended for another reason"),
    ],
    ids=["fails again", "a pure one, too", "too many", "no test failed"],
)
def test_nothing_else_is_forgiven(tmp_path, live, pure, words):
    """A failure that is repeated, a failure without servers, many failures, another end of the suite: all stay red."""
    code, said = look(tmp_path, live=live, pure=pure)
    assert code == 1
    assert words in said
