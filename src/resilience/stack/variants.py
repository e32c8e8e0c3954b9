"""A slow variant of the target, asked for by `TARGET_SLOW` as if the file had said so: `fixtures/target/slow`."""

from collections.abc import Mapping
from dataclasses import replace

from resilience.model import StackSpec

SLOW = "TARGET_SLOW"
"""Names of slow variants, with commas."""


def varied(spec: StackSpec, environment: Mapping[str, str]) -> StackSpec:
    """A stack as the file has it, with what the environment names besides.

    It belongs to what the service is started with, so a kept stack that was started without it is refused, and every
    program of the target has it.
    """
    slow = environment.get(SLOW, "")
    if not slow or spec.service is None:
        return spec
    return replace(spec, service=replace(spec.service, environment={**spec.service.environment, SLOW: slow}))
