"""A slow variant that is asked for by an environment variable is as if the file had said so, and is told."""

from resilience.model import Service, StackSpec
from resilience.stack.variants import varied
from resilience.stack.wanted import Wanted

SPEC = StackSpec(service=Service(command=("shop",), environment={"DATABASE_CONNECTIONS": "4"}))


def test_nothing_is_changed_unless_asked():
    """Not by an empty name, nor where there is no service."""
    assert varied(SPEC, {}) is SPEC
    assert varied(SPEC, {"TARGET_SLOW": ""}) is SPEC
    assert varied(StackSpec(), {"TARGET_SLOW": "no-cache"}) == StackSpec()


def test_the_service_is_given_the_names_besides_its_own():
    """Its own variables stay."""
    found = varied(SPEC, {"TARGET_SLOW": "no-cache", "OTHER": "x"})
    assert found.service is not None
    assert dict(found.service.environment) == {"DATABASE_CONNECTIONS": "4", "TARGET_SLOW": "no-cache"}


def test_a_kept_stack_that_is_not_slow_is_refused_to_who_wants_it_slow(tmp_path):
    """And the other way round: otherwise the mended one would be compared with itself."""
    honest, slow = (Wanted.of(spec, "", tmp_path) for spec in (SPEC, varied(SPEC, {"TARGET_SLOW": "no-cache"})))
    assert [text.partition(" is ")[0] for text in slow.differences(honest.as_json())] == ["its service"]
    assert [text.partition(" is ")[0] for text in honest.differences(slow.as_json())] == ["its service"]
