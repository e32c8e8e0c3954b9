"""Traffic of a workload's pods, denied by a network policy of our own."""

from collections.abc import Mapping
from typing import Any

from resilience.errors import FaultError
from resilience.faults import effects
from resilience.faults.cluster import Ref
from resilience.faults.cluster_objects import HELD, NEEDS, OWNER, UNTIL, ObjectFault, preflight
from resilience.faults.effects import Seen
from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.model import Json, Problem, Undo

SILENCE_S = 0.3


class NetworkPolicy(ObjectFault):
    """The pods of the workload get no traffic, or send none: a network policy of ours that allows nothing.

    How it is undone: that policy is deleted; it is owned by the workload, so that it goes with it at the latest. What
    it needs: a cluster whose network heeds policies. When it fails: it does not, and the part still answers.
    """

    kind = "kubernetes.network-policy"

    def _note(self, now: Mapping[str, Any]) -> Mapping[str, Json]:
        labels = now["spec"]["selector"].get("matchLabels") or {}
        if not labels:
            raise FaultError(Problem("selector", "the workload selects no pods by label: all would be hit"))
        direction = str(self._settings["direction"])
        types = ["Ingress", "Egress"] if direction == "both" else [direction.capitalize()]
        owner = {
            "apiVersion": now.get("apiVersion") or "apps/v1",
            "kind": now.get("kind")
            or ("Deployment" if "deployment" in str(self._place and self._place.workload) else "StatefulSet"),
            "name": now["metadata"]["name"],
            "uid": now["metadata"]["uid"],
        }
        return {"selector": dict(now["spec"]["selector"]), "types": list(types), "owned": owner}

    def inject(self, undo: Undo, /) -> None:
        """Make the policy."""
        data: Mapping[str, Any] = undo.data
        api, ref = self._at(data)
        body: dict[str, Json] = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {
                "name": data["token"],
                "namespace": ref.namespace,
                "labels": {"app.kubernetes.io/managed-by": "resilience"},
                "annotations": {HELD: data["token"], UNTIL: data["until"], OWNER: data["owner"]},
                "ownerReferences": [data["owned"]],
            },
            "spec": {"podSelector": data["selector"], "policyTypes": data["types"]},
        }
        api.create(Ref("networkpolicy", data["token"], ref.namespace), body)

    def revert(self, undo: Undo, /) -> None:
        """Delete the policy, if it is there."""
        data: Mapping[str, Any] = undo.data
        api, ref = self._at(data)
        policy = Ref("networkpolicy", data["token"], ref.namespace)
        now = api.get(policy)
        if now is not None:
            api.delete(policy, now["metadata"]["uid"])

    def active(self, undo: Undo, /) -> bool:
        """Whether the policy is there, and the part does not answer, if incoming traffic is denied and it can be asked.

        Raises:
            FaultError: the two do not agree: the network does not heed policies, or has not come to it.
        """
        data: Mapping[str, Any] = undo.data
        api, ref = self._at(data)
        there = api.get(Ref("networkpolicy", data["token"], ref.namespace)) is not None
        self.proof = f"the policy is {'there' if there else 'gone'}"
        words = data["words"].encode("latin-1")
        if not words or "Ingress" not in data["types"]:
            self.proof += "; nothing is known to ask the part from here"
            return there
        host, port = data["direct"]
        look = effects.ask((host, port), words, SILENCE_S if there else effects.PATIENCE_S)
        self.proof += f"; a connection was {look}"
        if (look.seen is Seen.ANSWERED) is there:
            raise FaultError(Problem(str(ref), f"it cannot be told: {self.proof}", "does the network heed policies?"))
        return there


KINDS: tuple[Kind, ...] = (
    kind_of(
        NetworkPolicy,
        "the network policy that this run made for the pods of {on} is deleted",
        NEEDS,
        {
            "direction": Setting(
                default="ingress", choices=("ingress", "egress", "both"), meaning="What is denied, seen from the pods."
            )
        },
        preflight=preflight,
    ),
)
"""The kinds of this mechanism."""
