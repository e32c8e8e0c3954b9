"""The load balancer before several copies of the service: HAProxy, told as much as is good for any service.

* A copy gets requests while its ready path answers 200, asked `CHECK_MS` apart; two other answers take it out, one puts
  it in again. So one that drains says 503 there, and finishes what it has.
* What was not sent to a copy, because it cannot be connected to, goes to another one. What was sent is never sent
  again: nobody knows what came of it.
* When no copy is ready all are tried: one that lacks its database may still answer from its cache.
* Each answer says which copy it is from (`X-Served-By`), so that a load can tell how evenly it is shared.
"""

from collections.abc import Mapping

from resilience.stack.loopback import HOST

CHECK_MS = 200
"""How far apart a copy is asked whether it is ready."""

SERVED_BY = "X-Served-By"
"""The header in which each answer says which copy gave it."""

_CONFIG = """\
global
    log stdout format raw local0 notice
    nbthread 1
    maxconn 8192
    no strict-limits

defaults
    mode http
    log global
    timeout connect 500ms
    timeout check 500ms
    timeout client 75s
    timeout server 30s
    timeout queue 2s
    retries 3
    option redispatch 1
    retry-on conn-failure
    option abortonclose
    default-server inter {check_ms}ms fastinter {check_ms}ms downinter {check_ms}ms fall 2 rise 1

frontend service
    bind {host}:{port}
    http-response set-header {header} %s
    use_backend unready if {{ nbsrv(ready) eq 0 }}
    default_backend ready

backend ready
    balance leastconn
    option httpchk GET {path}
    http-check expect status 200
{checked}

backend unready
    balance leastconn
{unchecked}
"""


def config(port: int, copies: Mapping[str, int], path: str) -> str:
    """HAProxy's configuration.

    Args:
        port: where it listens.
        copies: name → port.
        path: the service's ready path, without spaces.
    """
    servers = [f"    server {name} {HOST}:{each}" for name, each in copies.items()]
    return _CONFIG.format(
        host=HOST,
        port=port,
        path=path,
        check_ms=CHECK_MS,
        header=SERVED_BY,
        checked="\n".join(f"{line} check" for line in servers),
        unchecked="\n".join(servers),
    )
