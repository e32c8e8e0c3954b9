"""A Kubernetes cluster: what faults need of it as a port, and the official client behind it.

The only place that imports the client and chaostoolkit-kubernetes, and only when a cluster is used: both belong to the
extra `kubernetes`. Objects are plain JSON as the API gives them.
"""

import importlib
import importlib.util
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from resilience.errors import FaultError
from resilience.model import Json, Problem

LIMIT_S = 3.0
"""No request takes longer on a healthy API server."""

_KINDS = {
    "deployment": ("AppsV1Api", "namespaced_deployment"),
    "statefulset": ("AppsV1Api", "namespaced_stateful_set"),
    "networkpolicy": ("NetworkingV1Api", "namespaced_network_policy"),
    "node": ("CoreV1Api", "node"),
}
"""Kind of object → the client's class and the end of its methods' names."""


class Changed(FaultError):  # noqa: N818 - it names a state, as in `errors`
    """The object is another version by now than the one that was to be changed."""


@dataclass(frozen=True, slots=True)
class Ref:
    """An object: `deployment`, `statefulset`, `networkpolicy` or `node`."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        """`shop/deployment/cart`."""
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)


class Cluster(Protocol):
    """Objects of a cluster."""

    def get(self, ref: Ref) -> Mapping[str, Any] | None:
        """The object as it is now; None if there is none."""

    def change(self, ref: Ref, patch: Mapping[str, Json], *, version: str) -> None:
        """Change it by a strategic merge patch (None removes a key), if it still is that version.

        Raises:
            Changed: it is another version by now.
        """

    def create(self, ref: Ref, body: Mapping[str, Json]) -> None:
        """Make it."""

    def delete(self, ref: Ref, uid: str) -> None:
        """Remove this very object. Harmless if it is gone."""


class Pods(Protocol):
    """Pods of a cluster."""

    def evict(self, pod: Ref, uid: str, grace_s: int) -> str:
        """Have this very pod evicted, if the disruption budgets allow it now. Harmless if it is gone.

        Args:
            pod: of the kind `pod`.
            uid: another pod of that name is left alone.
            grace_s: seconds that it has to end; -1 is what it says itself.

        Returns:
            Why it is refused for now; empty if it is not.
        """

    def list(self, namespace: str, selector: str) -> Sequence[Mapping[str, Any]]:
        """Those with these labels, as they are now."""

    def terminate(self, namespace: str, selector: str, name: str, grace_s: int) -> Sequence[str]:
        """Have one of them deleted; returns the names of those that were."""


Connect = Callable[[str, str], "Api"]
"""Context (empty: the present one) and configuration files (empty: the usual one) → a connection."""


class Api(Cluster, Pods, Protocol):
    """Both."""


def missing() -> tuple[Problem, ...]:
    """Which libraries are not there."""
    return tuple(
        Problem("kubernetes", f"the library {name} is not installed", "install resilience[kubernetes]")
        for name in ("kubernetes", "chaosk8s")
        if importlib.util.find_spec(name) is None
    )


class Connection:
    """A cluster through the official client.

    Args:
        context: of the client's configuration; empty is the present one.
        files: of the configuration, as in `KUBECONFIG`; empty is the usual one.
    """

    def __init__(self, context: str, files: str) -> None:
        """Read the configuration; nothing is asked yet.

        Raises:
            FaultError: there is none, or the libraries are not there.
        """
        if problems := missing():
            raise FaultError(problems)
        self._context, self._files = context, files
        self._client: Any = importlib.import_module("kubernetes.client")
        config: Any = importlib.import_module("kubernetes.config")
        try:
            self._api = config.new_client_from_config(config_file=files or None, context=context or None)
        except config.ConfigException as error:
            hint = "name a context that `kubectl config get-contexts` shows"
            raise FaultError(Problem("kubernetes", f"no configuration: {error}", hint)) from error

    def get(self, ref: Ref) -> Mapping[str, Any] | None:
        """The object as it is now; None if there is none."""
        now: Mapping[str, Any] | None = self._call("read", ref, absent=None)
        return now

    def change(self, ref: Ref, patch: Mapping[str, Json], *, version: str) -> None:
        """Change it, if it still is that version."""
        metadata = patch.get("metadata")
        own = {**(metadata if isinstance(metadata, Mapping) else {}), "resourceVersion": version}
        self._call("patch", ref, body={**patch, "metadata": own})

    def create(self, ref: Ref, body: Mapping[str, Json]) -> None:
        """Make it."""
        self._call("create", ref, body=dict(body))

    def delete(self, ref: Ref, uid: str) -> None:
        """Remove this very object."""
        self._call("delete", ref, absent=None, body={"preconditions": {"uid": uid}})

    def list(self, namespace: str, selector: str) -> Sequence[Mapping[str, Any]]:
        """Pods with these labels."""
        core = self._client.CoreV1Api(self._api)
        found = self._guarded(
            f"pods of {namespace}",
            lambda: core.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=LIMIT_S),
        )
        pods: Sequence[Mapping[str, Any]] = self._api.sanitize_for_serialization(found)["items"]
        return pods

    def evict(self, pod: Ref, uid: str, grace_s: int) -> str:
        """By the API of evictions."""
        options: dict[str, Json] = {"preconditions": {"uid": uid}}
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": options if grace_s < 0 else {**options, "gracePeriodSeconds": grace_s},
        }
        core, error = self._client.CoreV1Api(self._api), self._client.ApiException

        def call() -> str:
            try:
                core.create_namespaced_pod_eviction(pod.name, pod.namespace, body, _request_timeout=LIMIT_S)
            except error as answer:
                if answer.status == 429:  # noqa: PLR2004 - too many requests: what a budget says
                    return f"the API server answered 429 {answer.reason}: a disruption budget does not allow it now"
                if answer.status not in {404, 409}:  # gone, or another pod has its name by now
                    raise
            return ""

        refused: str = self._guarded(str(pod), call)
        return refused

    def terminate(self, namespace: str, selector: str, name: str, grace_s: int) -> Sequence[str]:
        """Have chaostoolkit-kubernetes delete one pod: it selects by pattern, so the pattern is this name alone."""
        actions: Any = importlib.import_module("chaosk8s.pod.actions")
        if self._files:  # it makes a client of its own, which looks for these files once only: when it is imported
            importlib.import_module("kubernetes.config.kube_config").KUBE_CONFIG_DEFAULT_LOCATION = self._files  # type: ignore[attr-defined]
        gone: Sequence[str] = self._guarded(
            f"pod {namespace}/{name}",
            lambda: actions.terminate_pods(
                label_selector=selector,
                name_pattern=f"^{re.escape(name)}$",
                all=True,
                grace_period=grace_s,
                ns=namespace,
                secrets={"KUBERNETES_CONTEXT": self._context} if self._context else None,
            ),
        )
        return gone

    def _call(self, verb: str, ref: Ref, *, body: Any = None, **absent: None) -> Any:  # noqa: ANN401 - JSON
        of, suffix = _KINDS[ref.kind]
        method = getattr(getattr(self._client, of)(self._api), f"{verb}_{suffix}")
        words = [] if verb == "create" else [ref.name]
        words += [ref.namespace] if ref.namespace else []
        more = {} if body is None else {"body": body}
        error: Any = self._client.ApiException

        def call() -> Any:  # noqa: ANN401 - as above
            try:
                return method(*words, **more, _request_timeout=LIMIT_S)
            except error as answer:
                if answer.status == 404 and absent:  # noqa: PLR2004 - not found
                    return None
                raise

        return self._api.sanitize_for_serialization(self._guarded(str(ref), call))

    def _guarded(self, where: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the client returns
        """Turn the client's errors into ours."""
        urllib3: Any = importlib.import_module("urllib3.exceptions")
        try:
            return act()
        except self._client.ApiException as error:
            said = f"the API server answered {error.status} {error.reason}"
            if error.status == 409:  # noqa: PLR2004 - conflict
                raise Changed(Problem(where, said, "somebody else changed it at the same time")) from error
            raise FaultError(Problem(where, said)) from error
        except (urllib3.HTTPError, OSError) as error:
            raise FaultError(Problem(where, f"the API server cannot be reached: {error}")) from error


def files_here() -> str:
    """The configuration files that this process means, if it says so."""
    return os.environ.get("KUBECONFIG", "")


def connect(context: str, files: str) -> Api:
    """A connection through the official client."""
    return Connection(context, files)
