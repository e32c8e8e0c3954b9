"""Locust's side of the engine: a user that is a unit of rate, and Locust's request event for everything that ended."""

import time
from typing import ClassVar

from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from resilience.load.classify import Finding
from resilience.load.engine import Engine, Report
from resilience.load.statistics import OperationNotOkError
from resilience.model import Operation, Outcome


class ArrivalUser(User):
    """A unit of rate, not a person: one such user carries the whole arrival schedule of its engine.

    Users who think between two requests slow down with the target and so hide its stalls; this one does not wait for
    answers. Locust's dispatcher starts and stops it like any other user.
    """

    engine: ClassVar[Engine]

    @task
    def carry(self) -> None:
        """Follow the schedule to its end, once: a second such user has nothing to do."""
        try:
            if not self.engine.walking.is_set():
                self.engine.walk()
        except Exception as error:  # noqa: BLE001 - Locust would log it and begin again
            self.engine.fail(error)
        raise StopUser


def reporter(environment: Environment, base_url: str) -> Report:
    """Fires Locust's request event for every operation that ended; nothing that is judged depends on it.

    `response_time` is in milliseconds from the intended start (None for a dropped arrival); `context` has the outcome,
    the service time and the lag, in milliseconds.
    """
    fire = environment.events.request.fire

    def report(
        operation: Operation, finding: Finding, response_ns: int | None, service_ns: int | None, length: int
    ) -> None:
        response_ms = None if response_ns is None else response_ns / 1e6
        service_ms = None if service_ns is None else service_ns / 1e6
        lag_ms = None if response_ms is None or service_ms is None else response_ms - service_ms
        kind = finding.detail.partition(":")[0]
        fire(  # type: ignore[no-untyped-call]  # Locust's events have no types
            request_type=operation.method,
            name=operation.name,
            response_time=response_ms,
            response_length=length,
            response=None,
            context={"outcome": finding.outcome.value, "service_ms": service_ms, "lag_ms": lag_ms},
            exception=None if finding.outcome is Outcome.OK else OperationNotOkError(kind),
            start_time=time.time() - (response_ms or 0.0) / 1e3,
            url=f"{base_url}{operation.path}",
        )

    return report
