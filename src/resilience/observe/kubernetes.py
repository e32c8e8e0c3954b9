"""Pods of a Kubernetes cluster, by the metrics API (metrics.k8s.io), through the official client.

The client is imported when a cluster is read, and belongs to the extra `kubernetes`.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from resilience.model import Json, KubernetesMetrics
from resilience.model.resources import Reading
from resilience.observe.catalogue import reading
from resilience.observe.connections import BOUND_S

LIMITS_EVERY = 30
"""Limits of pods are read again after so many readings."""


class Api(Protocol):
    """What is asked of a cluster, as the JSON of its API."""

    def pods(self, namespace: str, selector: str) -> Any:  # noqa: ANN401 - any JSON
        """A list of pods."""

    def used(self, namespace: str, selector: str) -> Any:  # noqa: ANN401 - any JSON
        """A list of what pods use, by metrics.k8s.io."""


_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60}
_DECIMAL = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12", "P": "1e15"}


class Kubernetes:
    """Reads the pods of one namespace.

    Args:
        asked: which.
        api: of the cluster; without it, the official client with the configuration of this user.
    """

    collector = "kubernetes"

    def __init__(self, asked: KubernetesMetrics, api: Api | None = None) -> None:
        self.of = asked.namespace
        self._asked, self._api = asked, api
        self._limits: dict[str, tuple[float | None, float | None]] = {}
        self._read = 0

    def read(self) -> Sequence[Reading]:
        """Processor and memory of each pod, beside the limits of its containers."""
        api = self._api = self._api or Client(self._asked.context)
        chosen = (self.of, self._asked.selector)
        if self._read % LIMITS_EVERY == 0:
            self._limits = {pod["metadata"]["name"]: limits_of(pod) for pod in api.pods(*chosen)["items"]}
        self._read += 1
        items = api.used(*chosen)["items"]
        found = [reading("kubernetes.pods", self.of, len(items))]
        for item in items:
            name = item["metadata"]["name"]
            used = [container["usage"] for container in item["containers"]]
            cpu, memory = self._limits.get(name, (None, None))
            found += [
                reading("kubernetes.cpu", f"{self.of}/{name}", sum(quantity(one["cpu"]) for one in used), cpu),
                reading("kubernetes.memory", f"{self.of}/{name}", sum(quantity(one["memory"]) for one in used), memory),
            ]
        return found

    def close(self) -> Mapping[str, Json]:
        """Nothing is open."""
        return {}


def limits_of(pod: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The limits of a pod's processor time and memory: of all its containers, None if one has none."""
    limits = [container.get("resources", {}).get("limits", {}) for container in pod["spec"]["containers"]]
    cpu = [quantity(one["cpu"]) if "cpu" in one else None for one in limits]
    memory = [quantity(one["memory"]) if "memory" in one else None for one in limits]
    return _all(cpu), _all(memory)


def _all(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def quantity(text: str) -> float:
    """A quantity as Kubernetes writes it: `250m`, `12345n`, `64Mi`, `1e3`.

    Raises:
        ValueError: it is none.
    """
    end = next((end for end in (*_BINARY, *_DECIMAL) if text.endswith(end)), "")
    factor = Decimal(_BINARY[end]) if end in _BINARY else Decimal(_DECIMAL.get(end, "1"))
    try:
        return float(Decimal(text.removesuffix(end)) * factor)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no quantity") from error


class Client:
    """The API by the official client.

    Args:
        context: of its configuration; empty is the present one.

    Raises:
        ValueError: it is not installed, or there is no configuration.
    """

    def __init__(self, context: str) -> None:
        if importlib.util.find_spec("kubernetes") is None:
            raise ValueError("the library kubernetes is not installed: install resilience[kubernetes]")
        config: Any = importlib.import_module("kubernetes.config")
        self._client: Any = importlib.import_module("kubernetes.client")
        files = os.environ.get("KUBECONFIG") or None
        try:
            self._api = config.new_client_from_config(config_file=files, context=context or None)
        except config.ConfigException as error:
            raise ValueError(f"no configuration of Kubernetes: {error}") from error

    def pods(self, namespace: str, selector: str) -> Any:  # noqa: ANN401 - any JSON
        """A list of pods."""
        core = self._client.CoreV1Api(self._api)
        found = self._guarded("pods", lambda **more: core.list_namespaced_pod(namespace, **more), selector)
        return self._api.sanitize_for_serialization(found)

    def used(self, namespace: str, selector: str) -> Any:  # noqa: ANN401 - any JSON
        """A list of what pods use."""
        objects = self._client.CustomObjectsApi(self._api)
        what = ("metrics.k8s.io", "v1beta1", namespace, "pods")
        ask = objects.list_namespaced_custom_object
        return self._guarded("metrics.k8s.io/v1beta1", lambda **more: ask(*what, **more), selector)

    def _guarded(self, what: str, ask: Callable[..., Any], selector: str) -> Any:  # noqa: ANN401 - as above
        urllib3: Any = importlib.import_module("urllib3.exceptions")
        try:
            return ask(label_selector=selector, _request_timeout=BOUND_S)
        except self._client.ApiException as error:
            raise ValueError(f"{what} answered {error.status} {error.reason}") from error
        except urllib3.HTTPError as error:
            raise OSError(str(error)) from error
