"""A node drained of a workload: closed to new pods, and the workload's pods on it evicted, one after the other.

As `kubectl drain` does it, by the API of evictions, which heeds pod disruption budgets: an eviction that a budget
refuses is asked for again until it is granted. Unlike it, pods of other workloads stay: a plan touches only what it
names.
"""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults.cluster import Api, Ref
from resilience.faults.cluster_objects import HELD, NEEDS, annotations, found, preflight, selector, workload
from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.faults.kubernetes import ONLY, Cordon
from resilience.faults.kubernetes_pods import belongs, is_ready
from resilience.model import Json, Problem, Undo

AGAIN_S = 0.5
"""An eviction that was refused is asked for again after this; a budget allows the next when a new pod is ready."""


class Drain(Cordon):
    """No new pod is put on a node, and those of the workload that are there are evicted.

    How it is undone: the node takes pods again, and it is waited until the workload has all its pods: its controller
    makes them, and none that was evicted comes back. What it needs: as `kubernetes.cordon`, and a workload whose pods
    are all ready. When it fails: a disruption budget does not let them go; more than `at_most_percent` would go.
    """

    kind = "kubernetes.drain"
    clear_s: ClassVar[float] = 120.0

    def prepare(self) -> Undo:
        """Find the node and the pods; enough of the workload must be left.

        Raises:
            FaultError: not all of it is ready, none of it is on the node, or too much of it.
        """
        undo = super().prepare()
        place, data = self._place, undo.data
        if place is None:
            raise FaultError(Problem(self.kind, "needs a part that is a workload of a cluster"))
        api, node = self._at(data)
        ref = workload(place)
        owner = found(api, ref)
        is_whole, said = _whole(owner)
        if not is_whole:
            raise FaultError(Problem(str(ref), f"not all of it is ready: {said}", "wait until it is"))
        ready = [pod for pod in api.list(ref.namespace, selector(owner)) if is_ready(pod) and belongs(pod, owner)]
        there = [pod for pod in ready if pod["spec"].get("nodeName") == node.name]
        most = len(ready) * int(self._settings["at_most_percent"]) // 100
        if not there:
            raise FaultError(Problem(str(node), f"no ready pod of {ref} is on it", "name another node"))
        if len(there) > most:
            message = f"{len(there)} of {len(ready)} ready pods are on {node}, at most {most} may go"
            raise FaultError(Problem(str(ref), message, "raise at_most_percent, or name another node"))
        names = sorted((str(pod["metadata"]["name"]), str(pod["metadata"]["uid"])) for pod in there)
        pods: list[Json] = [list(each) for each in names]
        more: dict[str, Json] = {
            "workload": [ref.kind, ref.name, ref.namespace],
            "owner_uid": owner["metadata"]["uid"],
            "pods": pods,
            "grace_s": self._settings["grace_s"],
            "patience_s": self._settings["patience_s"],
        }
        return Undo(kind=self.kind, data={**data, **more})

    def inject(self, undo: Undo, /) -> None:
        """Cordon, then evict.

        Raises:
            FaultError: a budget refuses for too long, or the node was given back meanwhile.
        """
        super().inject(undo)
        data: Mapping[str, Any] = undo.data
        api, node = self._at(data)
        deadline = time.monotonic() + float(data["patience_s"])
        for name, uid in data["pods"]:
            # Whoever reverts takes our mark away, and nothing may be evicted after that.
            while refused := self._evicted(api, node, data, Ref("pod", name, data["workload"][2]), uid):
                if time.monotonic() >= deadline:
                    hint = "raise patience_s, or the number of replicas"
                    raise FaultError(Problem(name, f"it is not evicted within {data['patience_s']} s: {refused}", hint))
                time.sleep(AGAIN_S)

    def _evicted(self, api: Api, node: Ref, data: Mapping[str, Any], pod: Ref, uid: str) -> str:
        """Ask once; why it is refused, empty if it is not."""
        now = api.get(node)
        if now is None or now["metadata"]["uid"] != data["uid"] or annotations(now).get(HELD) != data["token"]:
            raise FaultError(Problem(str(node), f"it was given back before {pod.name} was evicted"))
        return api.evict(pod, uid, int(data["grace_s"]))

    def _done(self, data: Mapping[str, Any], now: Mapping[str, Any], *, there: bool) -> tuple[bool, str]:
        """There: nothing of it is left on the node. Gone: the workload is whole again."""
        closed, said = super()._done(data, now, there=there)
        api, _ = self._at(data)
        ref = Ref(*data["workload"])
        owner = api.get(ref)
        if owner is None or owner["metadata"]["uid"] != data["owner_uid"]:
            return closed, f"{said}; {ref} is gone"
        if not there:
            is_whole, words = _whole(owner)
            return closed and is_whole, f"{said}; of {ref} {words}"
        evicted = {uid for _, uid in data["pods"]}
        pods = api.list(ref.namespace, selector(owner))
        left = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["uid"] in evicted and not _going(pod)]
        words = f"{len(evicted) - len(left)} of {len(evicted)} pods of {ref} were evicted"
        return closed and not left, f"{said}; {words}"


def _going(pod: Mapping[str, Any]) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _whole(owner: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a workload has all its pods, ready; and the figures."""
    wanted, ready = int(owner["spec"].get("replicas", 1)), int((owner.get("status") or {}).get("readyReplicas") or 0)
    return ready >= wanted, f"{ready} of {wanted} pods are ready"


KINDS: tuple[Kind, ...] = (
    kind_of(
        Drain,
        "the node of {on} takes pods again; pods that were evicted are made anew by their workload",
        NEEDS,
        {
            "node": Setting(default=ONLY, meaning="Which node; may be left out if all pods are on one."),
            "at_most_percent": Setting(default=50, minimum=1, maximum=100, meaning="More of the ready pods never go."),
            "grace_s": Setting(default=-1, minimum=-1, maximum=600, meaning="To end; -1 is what the pod says."),
            "patience_s": Setting(
                default=30, minimum=1, maximum=60, meaning="So long disruption budgets may refuse, all pods together."
            ),
        },
        preflight=preflight,
    ),
)
"""The kinds of this mechanism."""
