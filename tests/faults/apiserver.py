"""An API server of Kubernetes, in memory: as much of it as the faults ask for, over HTTP, for the official client.

It keeps versions (409 for an old one), merges patches as Kubernetes does (lists of containers by name, null removes),
and plays the controllers at once: pods of a workload are there and ready as soon as it is changed.
"""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LABELS = {"app": "cart"}
CART = "/apis/apps/v1/namespaces/shop/deployments/cart"
NODE = "/api/v1/nodes/node-1"
PODS = "/api/v1/namespaces/shop/pods"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"


class Store:
    """The objects by path.

    Attributes:
        asked: method and path of every request that changes something.
        idle: the controllers do nothing.
        meanwhile: called before the next patch or eviction, once: somebody else is faster.
        budget: so many pods may still be evicted.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.idle = False
        self.meanwhile: Any = None
        self.budget = 100
        self._versions = 100
        container = {"name": "web", "image": "cart:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
        side = {"name": "side", "image": "side:1"}
        spec = {
            "replicas": 3,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [container, side]}},
        }
        self.put(CART, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart"}, "spec": spec})
        self.put(NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {}})
        owners = {"cart-7d-a": "cart-7d", "cart-7d-b": "cart-7d", "cart-7d-c": "cart-7d", "alien": "other-1"}
        for name, owner in owners.items():
            self.put(f"{PODS}/{name}", _pod(name, owner))

    def put(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        """Keep an object at its next version, and let the controllers do their work."""
        self._versions += 1
        meta = item["metadata"]
        meta.setdefault("uid", f"uid-{self._versions}")
        meta["resourceVersion"] = str(self._versions)
        if item["kind"] == "Deployment":
            meta["generation"] = meta.get("generation", 0) + 1
            if not self.idle:
                count = item["spec"]["replicas"]
                item["status"] = {
                    "replicas": count,
                    "readyReplicas": count,
                    "updatedReplicas": count,
                    "observedGeneration": meta["generation"],
                }
        if item["kind"] == "Node" and not self.idle:
            closed = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
            item["spec"]["taints"] = closed if item["spec"].get("unschedulable") else []
        self.objects[path] = item
        return item


def merged(old: Any, patch: Any) -> Any:
    """A strategic merge."""
    if not isinstance(old, dict) or not isinstance(patch, dict):
        return patch
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif key == "containers":
            named = {container["name"]: container for container in value}
            new[key] = [merged(has, named.get(has["name"], {})) for has in new[key]]
        else:
            new[key] = merged(new.get(key, {}) if isinstance(value, dict) else None, value)
    return new


@contextmanager
def apiserver(folder: Path) -> Iterator[tuple[Store, Path]]:
    """Serve; the store, and a configuration for it with the context `test`."""
    store = Store()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    config = folder / "kubeconfig"
    address = f"http://127.0.0.1:{server.server_port}"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": address}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "test",
            }
        )
    )
    try:
        yield store, config
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _status(self, code: int, reason: str) -> None:
        self._answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code})

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == PODS:
            assert "labelSelector=app%3Dcart" in query
            items = [copy.deepcopy(item) for where, item in self.store.objects.items() if where.startswith(PODS)]
            self._answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
        elif path in self.store.objects:
            self._answer(200, self.store.objects[path])
        else:
            self._status(404, "NotFound")

    def do_PATCH(self) -> None:
        patch = self._body()
        path = self.path.partition("?")[0]
        self.store.asked.append(("PATCH", path, self.headers["Content-Type"]))
        if self.store.meanwhile:
            act, self.store.meanwhile = self.store.meanwhile, None
            act()
        has = self.store.objects[path]
        if patch["metadata"].get("resourceVersion") != has["metadata"]["resourceVersion"]:
            self._status(409, "Conflict")
        else:
            self._answer(200, self.store.put(path, merged(has, patch)))

    def _evict(self, path: str) -> None:
        """As budgets allow it; then the pod is on its way, and its workload has another one elsewhere."""
        self.store.asked.append(("POST", f"{path}/eviction", self.headers["Content-Type"]))
        wanted = self._body()["deleteOptions"]["preconditions"]["uid"]
        has = self.store.objects.get(path)
        if self.store.meanwhile:
            act, self.store.meanwhile = self.store.meanwhile, None
            act()
        if has is None:
            self._status(404, "NotFound")
        elif wanted != has["metadata"]["uid"]:
            self._status(409, "Conflict")
        elif self.store.budget == 0:
            self._status(429, "TooManyRequests")
        else:
            self.store.budget -= 1
            has["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
            again = _pod(f"{has['metadata']['name']}-again", "cart-7d")
            again["spec"]["nodeName"] = "node-2"
            self.store.put(f"{PODS}/{again['metadata']['name']}", again)
            self._answer(201, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def do_POST(self) -> None:
        path, _, last = self.path.partition("?")[0].rpartition("/")
        if last == "eviction":
            self._evict(path)
            return
        item = self._body()
        path = f"{self.path.partition('?')[0]}/{item['metadata']['name']}"
        self.store.asked.append(("POST", path, self.headers["Content-Type"]))
        self._answer(201, self.store.put(path, item))

    def do_DELETE(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0]
        self.store.asked.append(("DELETE", path, ""))
        wanted = (body.get("preconditions") or {}).get("uid")
        has = self.store.objects.get(path)
        if has is None:
            self._status(404, "NotFound")
        elif wanted and wanted != has["metadata"]["uid"]:
            self._status(409, "Conflict")
        elif has["kind"] == "Pod":
            has["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
            self._answer(200, has)
        else:
            self._answer(200, self.store.objects.pop(path))


def _pod(name: str, owner: str) -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": f"uid-{owner}"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": LABELS, "ownerReferences": [reference]},
        "spec": {"nodeName": "node-1", "containers": [{"name": "web"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
