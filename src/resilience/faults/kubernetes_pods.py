"""Pods of a workload, deleted: a strike, through chaostoolkit-kubernetes, with a selection that is ours and seeded.

Its own selection takes no match for success and a missing selector for every pod; ours is by name, one at a time.
"""

import time
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import cluster
from resilience.faults.cluster import Api, Connect
from resilience.faults.cluster_objects import NEEDS, found, preflight, selector, workload
from resilience.faults.kinds import Kind, Setting
from resilience.model import Json, Place, Problem

GONE_S = 10.0
"""So long a deleted pod has until it is on its way."""


class PodDelete:
    """`count` pods of the workload are deleted, drawn by `seed` among those that are ready.

    How it is undone: not at all; the workload makes other pods. What it needs: the extra `kubernetes`. When it fails:
    there are not so many, or more than `at_most_percent` of them would go.
    """

    kind: ClassVar[str] = "kubernetes.pod-delete"

    def __init__(self, settings: Mapping[str, Json], place: Place, connect: Connect = cluster.connect) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings
        self._place = place
        self._connect = connect

    def prepare(self) -> None:
        """See that there are enough pods."""
        self._chosen(self._connect(self._place.context, cluster.files_here()))

    def strike(self) -> str:
        """Delete them one by one, and see each on its way."""
        place, api = self._place, self._connect(self._place.context, cluster.files_here())
        labels, chosen, among = self._chosen(api)
        for pod in chosen:
            name = pod["metadata"]["name"]
            deleted = list(api.terminate(place.namespace, labels, name, int(self._settings["grace_s"])))
            if deleted != [name]:
                raise FaultError(Problem(name, f"deleted were {deleted}, expected this one pod"))
        uids = {pod["metadata"]["uid"] for pod in chosen}
        deadline = time.monotonic() + GONE_S
        left = uids
        while left and time.monotonic() < deadline:
            pods = api.list(place.namespace, labels)
            left = uids & {pod["metadata"]["uid"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}
            if left:
                time.sleep(0.05)
        if left:
            raise FaultError(Problem(place.workload, f"pods {sorted(left)} were deleted and are not on their way"))
        names = ", ".join(pod["metadata"]["name"] for pod in chosen)
        return f"{len(chosen)} of {among} ready pods of {place.workload} were deleted: {names}"

    def _chosen(self, api: Api) -> tuple[str, tuple[Mapping[str, Any], ...], int]:
        """Labels, the pods that are drawn, and how many could have been."""
        ref = workload(self._place)
        owner = found(api, ref)
        labels = selector(owner)
        ready = sorted(
            (pod for pod in api.list(ref.namespace, labels) if is_ready(pod) and belongs(pod, owner)),
            key=lambda pod: str(pod["metadata"]["name"]),
        )
        count, most = int(self._settings["count"]), len(ready) * int(self._settings["at_most_percent"]) // 100
        if count > most:
            message = f"{count} pods would go, {len(ready)} are ready, of which at most {most} may"
            raise FaultError(Problem(str(ref), message, "raise at_most_percent, or the number of replicas"))
        # The draw need not be secret: it must be the same again.
        drawn = Random(int(self._settings["seed"])).sample(ready, count)  # noqa: S311
        return labels, tuple(drawn), len(ready)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready, and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def belongs(pod: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether a pod that has the labels is the workload's: owned by it, or by a replica set that has its name first."""
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    return any(
        reference["uid"] == uid or (reference["kind"] == "ReplicaSet" and reference["name"].rpartition("-")[0] == name)
        for reference in pod["metadata"].get("ownerReferences") or ()
    )


KINDS: tuple[Kind, ...] = (
    Kind(
        name=PodDelete.kind,
        build=PodDelete,
        revive=None,
        undo="pods of {on} are deleted; the workload makes others",
        needs=NEEDS,
        settings={
            "count": Setting(default=1, minimum=1, maximum=1_000, meaning="So many pods."),
            "seed": Setting(default=0, maximum=4_294_967_295, meaning="Which ones are drawn."),
            "at_most_percent": Setting(default=50, minimum=1, maximum=100, meaning="More of the ready pods never go."),
            "grace_s": Setting(default=-1, minimum=-1, maximum=600, meaning="To drain; -1 is what the pod says."),
        },
        preflight=preflight,
    ),
)
"""The kinds of this mechanism."""
