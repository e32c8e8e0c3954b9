"""What an action may be told is declared once, for the schema and for the function. Requirement E2."""

import inspect

import pytest

from resilience.ctk import actions
from resilience.spec.actions import ACTIONS, ARGUMENTS, STEPS, is_step


def test_every_step_is_a_function_and_every_function_a_step():
    """`chaos discover` shows what the schema allows."""
    assert actions.__name__ == ACTIONS
    assert sorted(actions.__all__) == sorted(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_the_schema_allows_what_the_function_takes(name: str):
    """The same arguments; those without a default are required; and each is described for people."""
    function, schema = getattr(actions, name), ARGUMENTS[name]
    parameters = inspect.signature(function).parameters
    assert set(parameters) == set(schema["properties"])
    needed = [each.name for each in parameters.values() if each.default is inspect.Parameter.empty]
    assert sorted(needed) == sorted(schema["required"])
    assert all(f"{parameter}:" in function.__doc__ for parameter in parameters)
    assert "Returns:" in function.__doc__


def test_defaults_are_the_schema_s():
    """Where the schema names a default it is the function's."""
    for name, schema in ARGUMENTS.items():
        parameters = inspect.signature(getattr(actions, name)).parameters
        for key, value in schema["properties"].items():
            if "default" in value:
                assert parameters[key].default == value["default"], f"{name}.{key}"


def test_what_is_a_step():
    """An activity of our module; anything else is chaostoolkit's."""
    assert is_step({"provider": {"module": ACTIONS}})
    assert not any(map(is_step, ({"provider": {"module": "os"}}, {"ref": "x"}, {}, "x", None)))
