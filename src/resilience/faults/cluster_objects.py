"""What the faults of a Kubernetes cluster have in common: one object, changed at the version that was looked at.

What is changed carries annotations: by whom it is held (a token of ours), until when, for whom. The values that were
noted are put back in the same object (by uid); those that somebody else changed meanwhile are said and left alone.
"""

import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import cluster, effects
from resilience.faults.cluster import Api, Changed, Connect, Ref
from resilience.faults.kinds import LEASE, Settings
from resilience.model import Json, Place, Problem, Undo

HELD = "resilience/held-by"
UNTIL = "resilience/until"
OWNER = "resilience/owner"
"""Annotations of what we hold."""
_TRIES = 5

NEEDS = {"workload": "a workload of a Kubernetes cluster", "namespace": "a namespace of a Kubernetes cluster"}


class ObjectFault(ABC):
    """What the faults that are about one object have in common.

    Args:
        settings: of the kind, complete; none to revert.
        place: the part; None to revert.
        connect: to the cluster.
    """

    kind: ClassVar[str]
    clear_s: ClassVar[float] = 60.0
    confirm_s: ClassVar[float] = 60.0
    """Pods that come back are pulled, started and probed."""

    def __init__(
        self,
        settings: Mapping[str, Json] | None = None,
        place: Place | None = None,
        connect: Connect = cluster.connect,
    ) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self._connect = connect
        self.proof = ""

    def prepare(self) -> Undo:
        """Find the object, which nobody else may hold, and note the values that are to be put back."""
        place = self._place
        if place is None or not place.workload or not place.namespace:
            raise FaultError(Problem(self.kind, "needs a part that is a workload of a cluster"))
        api = self._connect(place.context, cluster.files_here())
        ref = self._ref(place)
        now = found(api, ref)
        if held := annotations(now).get(HELD):
            raise FaultError(Problem(str(ref), f"it is held already, by {held}", "let that end, or `resilience reap`"))
        until = datetime.now(UTC) + timedelta(seconds=float(self._settings.get(LEASE, 600)))
        data: dict[str, Json] = {
            "context": place.context,
            "files": cluster.files_here(),
            "ref": [ref.kind, ref.name, ref.namespace],
            "uid": now["metadata"]["uid"],
            "token": f"resilience-{secrets.token_hex(6)}",
            "until": until.isoformat(timespec="seconds"),
            "owner": f"{socket.gethostname()}:{os.getpid()}",
            "direct": [place.host, place.port],
            "words": effects.serving(place).decode("latin-1"),
        }
        return Undo(kind=self.kind, data={**data, **self._note(now)})

    def _at(self, data: Mapping[str, Any]) -> tuple[Api, Ref]:
        return self._connect(data["context"], data["files"]), Ref(*data["ref"])

    def _ref(self, place: Place) -> Ref:
        return workload(place)

    @abstractmethod
    def _note(self, now: Mapping[str, Any]) -> Mapping[str, Json]:
        """What must be put back, and what is to be done."""


class ValueFault(ObjectFault):
    """What the faults that change values of an object have in common; `before` and `ours` stand in the undo."""

    def inject(self, undo: Undo, /) -> None:
        """Change it at the version that is there, and say in it whose it is."""
        data: Mapping[str, Any] = undo.data
        api, ref = self._at(data)
        marks = {HELD: data["token"], UNTIL: data["until"], OWNER: data["owner"]}

        def change(now: Mapping[str, Any]) -> Mapping[str, Json] | None:
            if self._values(data, now) != data["before"]:
                message = f"{self._values(data, now)} is no longer {data['before']}"
                raise FaultError(Problem(str(ref), f"somebody else changed it: {message}"))
            return {**self._patch(data, data["ours"]), "metadata": {"annotations": marks}}

        self._change(api, ref, data["uid"], change)

    def revert(self, undo: Undo, /) -> None:
        """Put back what was noted, if it is as we made it.

        Raises:
            FaultError: somebody else changed it; both values are said, theirs stays.
        """
        data: Mapping[str, Any] = undo.data
        api, ref = self._at(data)

        def change(now: Mapping[str, Any]) -> Mapping[str, Json] | None:
            if annotations(now).get(HELD) != data["token"]:
                return None  # never injected, or given back
            has = self._values(data, now)
            if has not in (data["ours"], data["before"]):
                message = f"it is {has} by somebody else: we set {data['ours']}, before us it was {data['before']}"
                raise FaultError(Problem(str(ref), message, f"put it right and remove the annotation {HELD}"))
            gone = {"annotations": {HELD: None, UNTIL: None, OWNER: None}}
            return {**self._patch(data, data["before"]), "metadata": gone}

        self._change(api, ref, data["uid"], change)

    def active(self, undo: Undo, /) -> bool:
        """Whether the cluster has done what it was told, and not only been told.

        Raises:
            FaultError: it is still about to.
        """
        data: Mapping[str, Any] = undo.data
        api, ref = self._at(data)
        now = api.get(ref)
        if now is None or now["metadata"]["uid"] != data["uid"]:
            self.proof = f"{ref} is gone"
            return False
        there = annotations(now).get(HELD) == data["token"] and bool(self._values(data, now) == data["ours"])
        done, self.proof = self._done(data, now, there=there)
        if not done:
            raise FaultError(Problem(str(ref), f"it is still to be {'there' if there else 'gone'}: {self.proof}"))
        return there

    def _change(self, api: Api, ref: Ref, uid: str, change: Any) -> None:  # noqa: ANN401 - object → patch or None
        """Change this very object, again if somebody else was faster; nothing if it is gone."""
        for _ in range(_TRIES):
            now = api.get(ref)
            if now is None or now["metadata"]["uid"] != uid:
                return
            patch = change(now)
            if patch is None:
                return
            try:
                api.change(ref, patch, version=now["metadata"]["resourceVersion"])
            except Changed:
                continue
            return
        raise FaultError(Problem(str(ref), f"somebody else changed it {_TRIES} times while we wanted to"))

    @abstractmethod
    def _values(self, data: Mapping[str, Any], now: Mapping[str, Any]) -> Json:
        """What the object has where we change it."""

    @abstractmethod
    def _patch(self, data: Mapping[str, Any], values: Any) -> Mapping[str, Json]:  # noqa: ANN401 - as from `_values`
        """What sets these values."""

    @abstractmethod
    def _done(self, data: Mapping[str, Any], now: Mapping[str, Any], *, there: bool) -> tuple[bool, str]:
        """Whether the cluster has come to it, and what says so."""


def workload(place: Place) -> Ref:
    """The workload of a part.

    Raises:
        FaultError: it is not written as `deployment/cart` or `statefulset/cart`.
    """
    kind, _, name = place.workload.partition("/")
    if kind not in {"deployment", "statefulset"} or not name:
        raise FaultError(
            Problem(place.name, f"{place.workload!r} is no workload", "write deployment/NAME, statefulset/NAME")
        )
    return Ref(kind, name, place.namespace)


def selector(owner: Mapping[str, Any]) -> str:
    """The labels by which a workload selects its pods, as the API takes them.

    Raises:
        FaultError: it has none: every pod of the namespace would be selected.
    """
    labels = owner["spec"]["selector"].get("matchLabels") or {}
    if not labels:
        raise FaultError(Problem(owner["metadata"]["name"], "selects no pods by label: all would be hit"))
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def found(api: Api, ref: Ref) -> Mapping[str, Any]:
    """An object that must be there."""
    now = api.get(ref)
    if now is None:
        raise FaultError(Problem(str(ref), "it does not exist", "is it the right context and namespace?"))
    return now


def annotations(now: Mapping[str, Any]) -> Mapping[str, str]:
    """What an object carries."""
    return now["metadata"].get("annotations") or {}


def preflight(settings: Settings, place: Place) -> tuple[Problem, ...]:  # noqa: ARG001 - as declared
    """Why a workload cannot be acted on from here; looks only."""
    if problems := cluster.missing():
        return problems
    try:
        found(cluster.connect(place.context, cluster.files_here()), workload(place))
    except FaultError as error:
        return error.problems
    return ()
