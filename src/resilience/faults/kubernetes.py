"""Faults of a workload in a Kubernetes cluster, by its API: scaled, short of CPU time, its node closed to new pods.

What it changes: values of one object. How it is undone: they are put back, see `cluster_objects`. What it needs: the
extra `kubernetes`, and a configuration with the right to change it. When it fails: somebody else changed the same
values meanwhile; the cluster does not do what it was told.
"""

from collections.abc import Mapping
from typing import Any

from resilience.errors import FaultError
from resilience.faults import cluster
from resilience.faults.cluster import Ref
from resilience.faults.cluster_objects import NEEDS, ValueFault, found, preflight, selector, workload
from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.model import Json, Place, Problem

ONLY = "(only)"


class Scale(ValueFault):
    """The workload has `replicas` pods.

    How it is undone: it has as many as before. What it needs: a deployment or stateful set. When it fails: an
    autoscaler or somebody else scales it meanwhile.
    """

    kind = "kubernetes.scale"

    def _note(self, now: Mapping[str, Any]) -> Mapping[str, Json]:
        before, wanted = self._values({}, now), int(self._settings["replicas"])
        if before == wanted:
            raise FaultError(Problem("replicas", f"it has {before} replicas already", "choose another number"))
        return {"before": before, "ours": wanted}

    def _values(self, data: Mapping[str, Any], now: Mapping[str, Any]) -> Json:  # noqa: ARG002 - as declared
        return int(now["spec"].get("replicas", 1))

    def _patch(self, data: Mapping[str, Any], values: Any) -> Mapping[str, Json]:  # noqa: ANN401, ARG002 - as declared
        return {"spec": {"replicas": values}}

    def _done(self, data: Mapping[str, Any], now: Mapping[str, Any], *, there: bool) -> tuple[bool, str]:
        status, wanted = now.get("status") or {}, int(now["spec"].get("replicas", 1))
        has, ready = int(status.get("replicas") or 0), int(status.get("readyReplicas") or 0)
        down = there and data["ours"] < data["before"]
        return has == wanted and (down or ready == wanted), f"{has} of {wanted} pods are there, {ready} are ready"


class CpuLimit(ValueFault):
    """A container of the workload may use `millicores` of CPU time; its pods are replaced one by one for that.

    How it is undone: request and limit are as before, and the pods are replaced again. What it needs: a deployment or
    stateful set. When it fails: the new pods do not get ready.
    """

    kind = "kubernetes.cpu-limit"

    def _note(self, now: Mapping[str, Any]) -> Mapping[str, Json]:
        containers = now["spec"]["template"]["spec"]["containers"]
        names = [container["name"] for container in containers]
        name = str(self._settings["container"])
        name = names[0] if name == ONLY and len(names) == 1 else name
        if name not in names:
            raise FaultError(Problem("container", f"{name!r} is none of {', '.join(names)}", "name one of them"))
        cpu = f"{self._settings['millicores']}m"
        data = {"container": name}
        return {**data, "before": self._values(data, now), "ours": {"limits": cpu, "requests": cpu}}

    def _values(self, data: Mapping[str, Any], now: Mapping[str, Any]) -> Json:
        for container in now["spec"]["template"]["spec"]["containers"]:
            if container["name"] == data["container"]:
                has = container.get("resources") or {}
                return {what: (has.get(what) or {}).get("cpu") for what in ("limits", "requests")}
        return None

    def _patch(self, data: Mapping[str, Any], values: Any) -> Mapping[str, Json]:  # noqa: ANN401 - as declared
        resources: Json = {what: {"cpu": value} for what, value in values.items()}
        return {"spec": {"template": {"spec": {"containers": [{"name": data["container"], "resources": resources}]}}}}

    def _done(self, data: Mapping[str, Any], now: Mapping[str, Any], *, there: bool) -> tuple[bool, str]:  # noqa: ARG002 - as declared
        status, wanted = now.get("status") or {}, int(now["spec"].get("replicas", 1))
        known = int(status.get("observedGeneration") or 0) >= int(now["metadata"].get("generation") or 0)
        new, ready = int(status.get("updatedReplicas") or 0), int(status.get("readyReplicas") or 0)
        words = f"{new} of {wanted} pods have CPU limit and request {self._values(data, now)}, {ready} are ready"
        return known and new == ready == wanted, words


class Cordon(ValueFault):
    """No new pod is put on a node; those that are there stay.

    How it is undone: the node takes pods again. What it needs: a node on which the workload has a pod, or that is
    named. When it fails: it is cordoned already.
    """

    kind = "kubernetes.cordon"

    def _ref(self, place: Place) -> Ref:
        node = str(self._settings["node"])
        if node == ONLY:
            api = self._connect(place.context, cluster.files_here())
            pods = api.list(place.namespace, selector(found(api, workload(place))))
            nodes = sorted({str(pod["spec"]["nodeName"]) for pod in pods if pod["spec"].get("nodeName")})
            if len(nodes) != 1:
                message = f"the pods of {place.workload} are on {', '.join(nodes) or 'no node'}, expected one"
                raise FaultError(Problem("node", message, "name the node"))
            node = nodes[0]
        return Ref("node", node)

    def _note(self, now: Mapping[str, Any]) -> Mapping[str, Json]:
        if self._values({}, now):
            raise FaultError(Problem(now["metadata"]["name"], "it is cordoned already", "uncordon it, or name another"))
        return {"before": False, "ours": True}

    def _values(self, data: Mapping[str, Any], now: Mapping[str, Any]) -> Json:  # noqa: ARG002 - as declared
        return bool(now["spec"].get("unschedulable"))

    def _patch(self, data: Mapping[str, Any], values: Any) -> Mapping[str, Json]:  # noqa: ANN401, ARG002 - as declared
        return {"spec": {"unschedulable": True if values else None}}

    def _done(self, data: Mapping[str, Any], now: Mapping[str, Any], *, there: bool) -> tuple[bool, str]:  # noqa: ARG002 - as declared
        taints = [taint["key"] for taint in now["spec"].get("taints") or ()]
        tainted = "node.kubernetes.io/unschedulable" in taints
        return tainted is there, f"node {now['metadata']['name']} has the taints {', '.join(taints) or 'none'}"


KINDS: tuple[Kind, ...] = (
    kind_of(
        Scale,
        "{on} has as many pods as before",
        NEEDS,
        {"replicas": Setting(default=0, maximum=1_000, meaning="So many pods.")},
        preflight=preflight,
    ),
    kind_of(
        CpuLimit,
        "CPU limit and request of {on} are as before; its pods are replaced for that",
        NEEDS,
        {
            "millicores": Setting(default=200, minimum=1, maximum=64_000, meaning="Thousandths of a CPU."),
            "container": Setting(default=ONLY, meaning="Which container; may be left out if there is one only."),
        },
        preflight=preflight,
    ),
    kind_of(
        Cordon,
        "the node of {on} takes pods again",
        NEEDS,
        {"node": Setting(default=ONLY, meaning="Which node; may be left out if all pods are on one.")},
        preflight=preflight,
    ),
)
"""The kinds of this mechanism."""
