"""Ways of their own by which the operations of a region reach the service: a proxy of toxiproxy for each.

The proxies are in toxiproxy's configuration from the start. The latency is a toxic, which has no place there: it is put
on once the service is there, under a name that no fault uses, and stays as long as toxiproxy runs. It is part of the
stack, not a fault: nobody takes it back. A toxiproxy that is ended and started again has the ways without their
latency.
"""

import contextlib
import http.client
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from resilience.errors import EnvironmentNotReady
from resilience.model import Problem, Region
from resilience.stack import parts
from resilience.stack.loopback import HOST
from resilience.stack.roster import Roster

TOXIC = "region-latency"
_ANSWER_S = 2.0


def proxies(regions: Iterable[Region], ports: Mapping[str, int]) -> list[dict[str, object]]:
    """The proxies of the ways, for toxiproxy's configuration: to the service, or to the balancer before its copies."""
    ways = parts.ways(regions)
    upstream = ports[parts.SERVICE] if ways else 0
    return [
        {"name": way, "listen": f"{HOST}:{ports[parts.via(way)]}", "upstream": f"{HOST}:{upstream}", "enabled": True}
        for way in ways
    ]


def lead(regions: Sequence[Region], ports: Mapping[str, int], roster: Roster) -> None:
    """Put the latencies on, and note the ways as parts of the stack. The service is there.

    Raises:
        EnvironmentNotReady: toxiproxy does not take them.
    """
    far = [region for region in regions if region.latency_s is not None]
    for region, way in zip(far, parts.ways(far), strict=True):
        service, via = roster.places[parts.SERVICE], ports[parts.via(way)]
        if region.latency_s or region.jitter_s:
            _delay(ports["toxiproxy"], way, region)
        roster.note(
            replace(
                service,
                name=way,
                via_port=via,
                proxy=way,
                control=f"http://{HOST}:{ports['toxiproxy']}",
                url=f"http://{HOST}:{via}",
                identity=None,
                launch=None,
            )
        )


def _delay(control: int, way: str, region: Region) -> None:
    """Make every answer on a way late; the API speaks of whole milliseconds."""
    toxic = {
        "name": TOXIC,
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1.0,
        "attributes": {"latency": round((region.latency_s or 0.0) * 1e3), "jitter": round(region.jitter_s * 1e3)},
    }
    connection = http.client.HTTPConnection(HOST, control, timeout=_ANSWER_S)
    with contextlib.closing(connection):
        try:
            connection.request(
                "POST", f"/proxies/{way}/toxics", json.dumps(toxic), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            status, body = answer.status, answer.read(4096)
        except (OSError, http.client.HTTPException) as error:
            status, body = 0, str(error).encode()
    if status != http.client.OK:
        said = body[:200].decode(errors="replace")
        message = f"the latency of region {region.name!r} was not taken: {status or 'no answer'}: {said}"
        raise EnvironmentNotReady(Problem(way, message))
