"""Pods by metrics.k8s.io: the official client against a small server that answers as the API does. No real cluster."""

import json
from urllib.parse import unquote

import pytest

from resilience.model import KubernetesMetrics
from resilience.observe.kubernetes import Client, Kubernetes, quantity
from tests.observe.answering import answering

PODS = {
    "items": [
        {
            "metadata": {"name": "cart-1"},
            "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}}]},
        },
        {"metadata": {"name": "cart-2"}, "spec": {"containers": [{"name": "a"}]}},
    ]
}
USED = {
    "items": [
        {"metadata": {"name": "cart-1"}, "containers": [{"usage": {"cpu": "250000000n", "memory": "1024Ki"}}]},
        {
            "metadata": {"name": "cart-2"},
            "containers": [{"usage": {"cpu": "1", "memory": "5"}}, {"usage": {"cpu": "100m", "memory": "1k"}}],
        },
    ]
}
METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """A configuration of the client for a server; needs the client."""
    pytest.importorskip("kubernetes", reason="needs the extra `kubernetes`")

    def configure(url):
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": {"server": url}}],
            "users": [{"name": "me", "user": {"token": "a-token"}}],
        }
        path = tmp_path / "config"
        path.write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(path))

    return configure


def test_pods_are_read_beside_their_limits(configured):
    """Containers are added up; a pod of which one container has no limit has none."""
    with answering({"/api/v1/namespaces/shop/pods": json.dumps(PODS), METRICS: json.dumps(USED)}) as (url, asked):
        configured(url)
        found = Kubernetes(KubernetesMetrics(namespace="shop", selector="app=cart")).read()
    assert [(one.name, one.of, one.value, one.limit) for one in found] == [
        ("kubernetes.pods", "shop", 2.0, None),
        ("kubernetes.cpu", "shop/cart-1", 0.25, 0.5),
        ("kubernetes.memory", "shop/cart-1", 1048576.0, 67108864.0),
        ("kubernetes.cpu", "shop/cart-2", 1.1, None),
        ("kubernetes.memory", "shop/cart-2", 1005.0, None),
    ]
    assert all(unquote(path).endswith("?labelSelector=app=cart") for path, _ in asked)
    assert all(headers.get("authorization", headers.get("Authorization")) == "Bearer a-token" for _, headers in asked)


def test_a_cluster_without_metrics_is_an_error(configured):
    """It says which API is not there."""
    with answering({"/api/v1/namespaces/shop/pods": json.dumps(PODS)}) as (url, _):
        configured(url)
        with pytest.raises(ValueError, match=r"metrics\.k8s\.io/v1beta1 answered 404"):
            Kubernetes(KubernetesMetrics(namespace="shop")).read()


def test_a_context_that_is_not_there_is_an_error(configured):
    """As the client says it."""
    configured("http://127.0.0.1:1")
    with pytest.raises(ValueError, match="no configuration of Kubernetes"):
        Client("elsewhere")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("250m", 0.25), ("12345n", 1.2345e-05), ("64Mi", 67108864.0), ("2k", 2000.0), ("1e3", 1000.0)],
)
def test_quantities(text, value):
    """As Kubernetes writes them."""
    assert quantity(text) == pytest.approx(value)


def test_what_is_no_quantity_is_refused():
    """Not counted as nothing."""
    with pytest.raises(ValueError, match="no quantity"):
        quantity("many")
