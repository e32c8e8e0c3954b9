"""What a machine can do is said before anybody writes an experiment for it."""

import os
import shutil

import pytest

from resilience.abilities import abilities
from resilience.faults import registry


def told() -> dict[str, object]:
    return {ability.what: ability for ability in abilities()}


def test_each_says_how_or_why_not():
    """A means or a reason with what would help, never both and never neither."""
    for ability in abilities():
        assert bool(ability.means) is (ability.lacking is None), ability
        if ability.lacking is not None:
            assert ability.lacking.hint, ability


def test_kinds_that_need_something_are_named():
    """Every kind of the network and of control groups is spoken of."""
    words = " ".join(told())
    assert [kind for kind in registry.KINDS if kind.startswith(("network.", "cgroup.")) and kind not in words] == []


def test_a_missing_program_is_a_reason(monkeypatch: pytest.MonkeyPatch):
    """Without nft and docker on PATH their faults are not possible, and it says how to get them."""
    found = shutil.which

    def which(name: str, mode: int = os.F_OK | os.X_OK, path: str | None = None) -> str | None:
        return None if name in {"nft", "docker"} else found(name, mode, path)

    monkeypatch.setattr(shutil, "which", which)
    known = told()
    assert "apt install docker.io" in known["docker.*"].lacking.hint
    (packets,) = [ability for what, ability in known.items() if "network.loss" in what]
    assert "apt install nftables" in packets.lacking.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_may_do_more():
    """A small disk is mounted by root."""
    assert "memory" in told()["postgres.disk-full"].means
