"""What a machine can do is said before anybody writes an experiment for it."""

import os
import shutil

import pytest

from resilience.abilities import abilities, foreseen
from resilience.faults import registry
from resilience.model import FaultSpec, Json, Place


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


def fault(kind: str, **settings: Json) -> FaultSpec:
    """As a file has it."""
    return FaultSpec(name="tried", kind=kind, on="redis", duration_s=5.0, settings=settings)


@pytest.mark.parametrize("kind", [name for name in registry.KINDS if name.startswith(("network.", "cgroup."))])
def test_a_plan_says_by_which_means_or_that_it_cannot_be_done(kind: str):
    """The same as is said of the machine (Requirements F3, F4)."""
    (ability,) = [ability for ability in abilities() if kind in ability.kinds]
    said = foreseen(fault(kind), "embedded")
    assert said
    if ability.lacking is not None:
        assert said == f"cannot be done on this machine: {ability.lacking}"
    elif kind.startswith("network."):
        assert said.startswith(ability.means.partition(",")[0])


def test_how_exact_a_share_is_stands_in_the_plan():
    """Two standard deviations of a binomial, and none for all or nothing."""
    half, all_ = fault("network.loss", percent=50.0), fault("network.loss", percent=100.0)
    place = Place(name="redis", host="127.0.0.1", port=1, via_port=1)
    assert "of 1000 packets 500 ± 31 (95 %)" in registry.mechanism(half, place)
    assert registry.mechanism(all_, place).startswith("nftables, every packet;")
    assert registry.mechanism(fault("network.partition"), place).startswith("nftables, every packet;")


def test_what_other_machines_have_is_not_guessed():
    """A stack of another kind runs elsewhere; where there is one way only, nothing is said."""
    assert "not known from here" in foreseen(fault("network.loss"), "kubernetes")
    assert foreseen(fault("redis.readonly"), "embedded") == foreseen(fault("redis.readonly"), "external") == ""
