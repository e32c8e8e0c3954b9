"""Faults of a workload, through the official client: what is sent, what is put back, and what is left to others."""

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.faults import cluster, registry
from resilience.faults.cluster import Changed, Ref
from resilience.model import FaultSpec, Place
from resilience.ports import Fault, Strike
from tests.faults.apiserver import CART, NODE, PODS, POLICIES, Store, apiserver
from tests.faults.parts import over_json

pytestmark = pytest.mark.skipif(
    bool(cluster.missing()), reason="needs the extra kubernetes: install resilience[kubernetes]"
)

PLACE = Place(name="cart", host="", port=0, via_port=0, context="test", namespace="shop", workload="deployment/cart")
HELD = {
    "kubernetes.scale": {"replicas": 0},
    "kubernetes.cpu-limit": {"millicores": 150, "container": "web"},
    "kubernetes.cordon": {},
    "kubernetes.network-policy": {"direction": "both"},
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with apiserver(tmp_path) as (started, config):
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield started


def built(kind: str, place: Place = PLACE, **settings) -> Fault | Strike:
    return registry.build(FaultSpec(name="hit", kind=kind, on="cart", duration_s=5, settings=settings), place)


def held(kind: str) -> Fault:
    fault = built(kind, **HELD[kind])
    assert isinstance(fault, Fault)
    return fault


def content(store: Store) -> dict:
    """The objects without what only counts their changes, and without annotations that are empty."""
    objects = json.loads(json.dumps(store.objects))
    for item in objects.values():
        for key in ("resourceVersion", "generation"):
            item["metadata"].pop(key, None)
        if not item["metadata"].get("annotations", True):
            del item["metadata"]["annotations"]
        item.get("status", {}).pop("observedGeneration", None)
        for container in item["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            resources = container.get("resources", {})
            for what in [what for what, has in resources.items() if not has]:
                del resources[what]
    return objects


@pytest.mark.parametrize("kind", sorted(HELD))
def test_comes_and_goes(store: Store, kind: str):
    """Nothing is changed by looking; what is injected is seen, marked as ours, and given back by another process."""
    before = content(store)
    fault = held(kind)
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.revert(undo)
    assert store.asked == []
    fault.inject(undo)
    assert fault.active(undo) is True
    assert fault.proof
    token = undo.data["token"]
    marked = [item for item in store.objects.values() if token in (item["metadata"].get("annotations") or {}).values()]
    (ours,) = marked
    assert {"resilience/until", "resilience/owner"} < set(ours["metadata"]["annotations"])
    read = over_json(undo)
    other = registry.from_undo(read)
    assert other.active(read) is True
    other.revert(read)
    other.revert(read)
    assert other.active(read) is False
    assert content(store) == before


def test_what_is_sent(store: Store):
    """Zero pods, a lower limit in one container alone, a policy that allows nothing and goes with the workload."""
    for kind in ("kubernetes.scale", "kubernetes.cpu-limit", "kubernetes.network-policy"):
        fault = held(kind)
        undo = fault.prepare()
        fault.inject(undo)
        if kind == "kubernetes.scale":
            assert store.objects[CART]["spec"]["replicas"] == 0
            assert store.asked == [("PATCH", CART, "application/strategic-merge-patch+json")]
        elif kind == "kubernetes.cpu-limit":
            web, side = store.objects[CART]["spec"]["template"]["spec"]["containers"]
            assert web["resources"] == {"limits": {"cpu": "150m", "memory": "1Gi"}, "requests": {"cpu": "150m"}}
            assert "resources" not in side
        else:
            policy = store.objects[f"{POLICIES}/{undo.data['token']}"]
            assert policy["spec"] == {
                "podSelector": {"matchLabels": {"app": "cart"}},
                "policyTypes": ["Ingress", "Egress"],
            }
            assert policy["metadata"]["ownerReferences"][0]["uid"] == store.objects[CART]["metadata"]["uid"]
        fault.revert(undo)


def test_told_is_not_done(store: Store):
    """What the cluster was told and has not done cannot be told yet: neither there nor gone."""
    store.idle = True
    for kind in ("kubernetes.scale", "kubernetes.cpu-limit", "kubernetes.cordon"):
        fault = held(kind)
        undo = fault.prepare()
        fault.inject(undo)
        with pytest.raises(FaultError, match="still to be there"):
            fault.active(undo)
        fault.revert(undo)
    store.idle = False


@pytest.mark.parametrize("kind", ["kubernetes.scale", "kubernetes.cpu-limit"])
def test_somebody_elses_change_is_left_alone(store: Store, kind: str):
    """A value that was changed meanwhile is said with both, and stays; so does another change beside it."""
    fault = held(kind)
    undo = fault.prepare()
    fault.inject(undo)
    theirs = copy.deepcopy(store.objects[CART])
    theirs["spec"]["replicas"] = 7
    theirs["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "3"
    store.put(CART, theirs)
    with pytest.raises(FaultError, match="by somebody else: we set"):
        fault.revert(undo)
    assert store.objects[CART]["spec"]["replicas"] == 7
    assert store.objects[CART]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "3"


def test_an_old_version_is_not_overwritten(store: Store):
    """If somebody is faster between looking and changing, it is looked at again; their other change survives."""

    def theirs() -> None:
        item = copy.deepcopy(store.objects[CART])
        item["metadata"].setdefault("labels", {})["team"] = "shop"
        store.put(CART, item)

    fault = held("kubernetes.scale")
    undo = fault.prepare()
    store.meanwhile = theirs
    fault.inject(undo)
    assert store.objects[CART]["spec"]["replicas"] == 0
    assert store.objects[CART]["metadata"]["labels"] == {"team": "shop"}
    with pytest.raises(Changed):
        cluster.connect("test", _config()).change(
            Ref("deployment", "cart", "shop"), {"spec": {"replicas": 9}}, version="1"
        )
    store.meanwhile = theirs
    fault.revert(undo)
    assert store.objects[CART]["spec"]["replicas"] == 3


def test_another_object_of_that_name_is_not_touched(store: Store):
    """A workload that was deleted and made again is another one: nothing is owed to it, and nothing is active."""
    fault = held("kubernetes.scale")
    undo = fault.prepare()
    fault.inject(undo)
    again = copy.deepcopy(store.objects[CART])
    again["metadata"]["uid"] = "another"
    store.put(CART, again)
    fault.revert(undo)
    assert store.objects[CART]["spec"]["replicas"] == 0
    assert fault.active(undo) is False
    del store.objects[CART]
    fault.revert(undo)
    assert fault.active(undo) is False


def test_what_is_there_already_is_refused(store: Store):
    """Held already, scaled already, cordoned already, no such container: nothing is touched."""
    fault = held("kubernetes.scale")
    fault.inject(fault.prepare())
    with pytest.raises(FaultError, match="held already"):
        held("kubernetes.cpu-limit").prepare()
    fresh = Store()
    store.objects = fresh.objects
    with pytest.raises(FaultError, match="3 replicas already"):
        built("kubernetes.scale", replicas=3).prepare()
    with pytest.raises(FaultError, match=r"'\(only\)' is none of web, side"):
        built("kubernetes.cpu-limit").prepare()
    store.objects[NODE]["spec"]["unschedulable"] = True
    with pytest.raises(FaultError, match="cordoned already"):
        held("kubernetes.cordon").prepare()


def test_pods_are_drawn_by_seed_among_the_workloads_own(store: Store):
    """The same seed draws the same pod; one that only has the labels is never drawn (Requirement F6)."""

    def struck(seed: int) -> str:
        store.objects = Store().objects
        store.asked.clear()
        strike = built("kubernetes.pod-delete", seed=seed, at_most_percent=40)
        assert isinstance(strike, Strike)
        strike.prepare()
        assert store.asked == []
        proof = strike.strike()
        ((method, path, _),) = store.asked
        assert method == "DELETE"
        name = path.removeprefix(f"{PODS}/")
        assert f"1 of 3 ready pods of deployment/cart were deleted: {name}" == proof
        return name

    drawn = [struck(seed) for seed in range(8)]
    assert drawn == [struck(seed) for seed in range(8)]
    assert 2 <= len(set(drawn)) <= 3
    assert "alien" not in drawn


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 2}, "2 pods would go, 3 are ready, of which at most 1 may"),
        ({"count": 4, "at_most_percent": 100}, "4 pods would go, 3 are ready, of which at most 3 may"),
    ],
)
def test_never_more_pods_than_allowed(store: Store, settings: dict, words: str):
    """Too many, or none, is an error and not a success with nothing done."""
    strike = built("kubernetes.pod-delete", **settings)
    assert isinstance(strike, Strike)
    with pytest.raises(FaultError, match=words):
        strike.prepare()
    for name in list(store.objects):
        if name.startswith(PODS):
            store.objects[name]["status"]["conditions"] = []
    with pytest.raises(FaultError, match="0 are ready"):
        built("kubernetes.pod-delete").strike()
    assert store.asked == []


def test_a_selector_is_needed(store: Store):
    """Without labels every pod of the namespace would be hit: refused."""
    store.objects[CART]["spec"]["selector"] = {}
    for kind in ("kubernetes.pod-delete", "kubernetes.network-policy"):
        with pytest.raises(FaultError, match="by label"):
            built(kind).prepare()


def test_preflight_says_what_is_missing(store: Store):
    """No workload, a wrong context, a server that is gone: said with a hint, before anything is touched."""
    spec = FaultSpec(name="hit", kind="kubernetes.scale", on="cart", duration_s=1)
    assert registry.fits(spec, PLACE) == ()
    for place, words in (
        (replace(PLACE, workload=""), "a workload of a Kubernetes cluster"),
        (replace(PLACE, workload="cart"), "write deployment/NAME"),
        (replace(PLACE, workload="deployment/till"), "it does not exist"),
        (replace(PLACE, context="nowhere"), "get-contexts"),
    ):
        assert words in str(registry.fits(spec, place)[0])
    assert store.asked == []


def test_a_policy_that_the_network_does_not_heed_cannot_be_told(store: Store):
    """The policy is there, and the part answers all the same: not active (Requirement F7)."""
    host, _, port = json.loads(Path(_config()).read_text())["clusters"][0]["cluster"]["server"][7:].partition(":")
    place = replace(PLACE, host=host, port=int(port), protocol="http", ready=CART)
    fault = built("kubernetes.network-policy", place)
    assert isinstance(fault, Fault)
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.inject(undo)
    with pytest.raises(FaultError, match="heed policies"):
        fault.active(undo)
    fault.revert(undo)
    assert fault.active(undo) is False
    assert not [path for path in store.objects if path.startswith(POLICIES)]


def _config() -> str:
    return os.environ["KUBECONFIG"]
