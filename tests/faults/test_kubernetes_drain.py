"""A node drained of a workload, through the official client: who is evicted, what budgets say, what is given back."""

import copy
from collections.abc import Callable

import pytest

from resilience.errors import FaultError
from resilience.faults import cluster, registry
from resilience.ports import Fault
from tests.faults.apiserver import CART, NODE, PODS, Store
from tests.faults.parts import over_json
from tests.faults.test_kubernetes import built, store

pytestmark = pytest.mark.skipif(
    bool(cluster.missing()), reason="needs the extra kubernetes: install resilience[kubernetes]"
)

__all__ = ["store"]  # a fixture


def drain(**settings) -> Fault:
    fault = built("kubernetes.drain", **{"at_most_percent": 100, **settings})
    assert isinstance(fault, Fault)
    return fault


def evicted(store: Store) -> list[str]:
    """The pods of which eviction was asked, in this order."""
    paths = [path for method, path, _ in store.asked if method == "POST"]
    return [path.removeprefix(f"{PODS}/").removesuffix("/eviction") for path in paths]


def at_request(store: Store, number: int, act: Callable[[], None]) -> None:
    """Have something happen just before the so-manieth change or eviction that is asked for."""
    store.meanwhile = act if number == 1 else lambda: at_request(store, number - 1, act)


def test_closes_the_node_evicts_the_workloads_own_pods_and_opens_it_again(store: Store):
    """One that only has the labels stays. Another process gives back; nothing of ours is left (Requirement F6)."""
    node = copy.deepcopy(store.objects[NODE])
    fault = drain()
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.revert(undo)
    assert store.asked == []
    fault.inject(undo)
    assert evicted(store) == ["cart-7d-a", "cart-7d-b", "cart-7d-c"]
    assert "deletionTimestamp" not in store.objects[f"{PODS}/alien"]["metadata"]
    assert fault.active(undo) is True
    assert "3 of 3 pods of shop/deployment/cart were evicted" in fault.proof
    read = over_json(undo)
    other = registry.from_undo(read)
    assert other.active(read) is True
    other.revert(read)
    other.revert(read)
    assert other.active(read) is False
    now = store.objects[NODE]
    assert now["spec"] == {**node["spec"], "taints": []}
    assert not now["metadata"]["annotations"]
    assert len(evicted(store)) == 3


def test_a_budget_that_refuses_is_asked_again(store: Store):
    """It allows one pod now and the others a little later."""
    store.budget = 1
    fault = drain()
    undo = fault.prepare()

    at_request(store, 4, lambda: setattr(store, "budget", 2))  # cordon, a, b, and b again
    fault.inject(undo)
    assert evicted(store) == ["cart-7d-a", "cart-7d-b", "cart-7d-b", "cart-7d-c"]
    assert fault.active(undo) is True


def test_a_budget_that_refuses_for_too_long_fails_and_is_never_overruled(store: Store):
    """No pod is deleted past it; the fault is not there, and the node can be given back."""
    store.budget = 0
    fault = drain(patience_s=1)
    undo = fault.prepare()
    with pytest.raises(FaultError, match="disruption budget does not allow it now"):
        fault.inject(undo)
    with pytest.raises(FaultError, match="0 of 3 pods"):
        fault.active(undo)
    fault.revert(undo)
    assert fault.active(undo) is False
    assert not [path for method, path, _ in store.asked if method == "DELETE"]


def test_nothing_is_evicted_once_the_node_was_given_back(store: Store):
    """The run was stopped while a budget refused: whoever is still injecting finds that the node is no longer ours."""
    store.budget = 0
    fault = drain()
    undo = fault.prepare()
    gone = registry.from_undo(over_json(undo))

    at_request(store, 2, lambda: gone.revert(undo))  # cordon, and the eviction of a, which is refused
    with pytest.raises(FaultError, match="given back before cart-7d-a was evicted"):
        fault.inject(undo)
    assert fault.active(undo) is False
    assert evicted(store) == ["cart-7d-a"]


def test_gone_is_when_the_workload_is_whole_again(store: Store):
    """An open node is not enough: the pods that were evicted must have others in their place, and those be ready."""
    fault = drain()
    undo = fault.prepare()
    fault.inject(undo)
    store.objects[CART]["status"]["readyReplicas"] = 2
    fault.revert(undo)
    with pytest.raises(FaultError, match="2 of 3 pods are ready"):
        fault.active(undo)
    store.objects[CART]["status"]["readyReplicas"] = 3
    assert fault.active(undo) is False
    del store.objects[CART]
    assert fault.active(undo) is False


def test_a_pod_that_has_the_name_by_now_is_left_alone(store: Store):
    """A stateful set gives names again: who is there under it now was not chosen."""
    fault = drain()
    undo = fault.prepare()
    store.objects[f"{PODS}/cart-7d-a"]["metadata"]["uid"] = "another"
    fault.inject(undo)
    assert "deletionTimestamp" not in store.objects[f"{PODS}/cart-7d-a"]["metadata"]
    assert fault.active(undo) is True


@pytest.mark.parametrize(
    ("ready", "node", "settings", "words"),
    [
        (3, "node-1", {"at_most_percent": 50}, "3 of 3 ready pods are on node/node-1, at most 1 may go"),
        (2, "node-1", {}, "not all of it is ready: 2 of 3 pods are ready"),
        (3, "node-2", {"node": "node-1"}, "no ready pod of shop/deployment/cart is on it"),
    ],
)
def test_what_must_not_be_drained_is_refused(store: Store, ready: int, node: str, settings: dict, words: str):
    """Too many would go, the workload is not whole, none is there: nothing is touched."""
    store.objects[CART]["status"]["readyReplicas"] = ready
    for path, item in store.objects.items():
        if path.startswith(PODS):
            item["spec"]["nodeName"] = node
    with pytest.raises(FaultError, match=words):
        drain(**settings).prepare()
    assert store.asked == []
