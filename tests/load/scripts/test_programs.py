"""How other load programs are called, and what they see of our environment."""

import json

import pytest

from resilience.errors import LoadError
from resilience.load.scripts.programs import NO_HOME, PASSED, PLUGINS, program_for, script_environment
from resilience.model import Load, LoadOrder


def order(**load) -> LoadOrder:
    """An order for a script."""
    return LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=77,
        base_url="http://127.0.0.1:1",
        folder="/nowhere",
        load=Load(script="s.js", **load),
        max_s=1.0,
    )


def test_a_program_sees_what_it_is_given_and_little_else(monkeypatch):
    """Requirement L10: no token of ours, no proxy, no home with somebody's settings, no option by the environment."""
    for name in ("HTTP_PROXY", "K6_CLOUD_TOKEN", "NODE_OPTIONS", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SHOP_TOKEN", "tok")
    seen = script_environment({"TOKEN": "SHOP_TOKEN"})
    assert seen["TOKEN"] == "tok"
    assert seen["HOME"] == NO_HOME
    assert set(seen) <= {*PASSED, "HOME", "TOKEN"}
    with pytest.raises(LoadError, match="NO_SUCH_VARIABLE are not set"):
        script_environment({"TOKEN": "NO_SUCH_VARIABLE"})


def test_k6_is_told_to_tell_nobody_else():
    """Its data comes by the pipe, its makers hear nothing, it opens no port, and the address is a variable."""
    k6 = program_for("k6", "/bin/k6", "/x/s.js", {"waiting": ["default"], "restless": {"default": 9.0}})
    argv = k6.argv(order(driver="k6"), 7)
    assert argv[:2] == ["/bin/k6", "run"]
    assert argv[-1] == "/x/s.js"
    assert "--no-usage-report" in argv
    assert argv[argv.index("--address") + 1] == ""
    assert argv[argv.index("--out") + 1] == "json=/dev/fd/7"
    assert "vu" in argv[argv.index("--system-tags") + 1].split(",")
    assert k6.environment(order(driver="k6", base_url_as="SHOP"), 7)["SHOP"] == "http://127.0.0.1:1"


def test_artillery_gets_our_plugin_beside_its_own():
    """Nothing of the script is changed; the plugin is there, in the wheel as well."""
    artillery = program_for("artillery", "/a/run", "/x/s.yml", {"node": "/bin/node"})
    argv = artillery.argv(order(driver="artillery"), 7)
    assert argv == ["/bin/node", "/a/run", "run", "--quiet", "--target", "http://127.0.0.1:1", "/x/s.yml"]
    seen = artillery.environment(order(driver="artillery"), 7)
    assert seen["ARTILLERY_DISABLE_TELEMETRY"] == "true"
    assert json.loads(seen["ARTILLERY_PLUGINS"]) == {"resilience": {}}
    assert (seen["RESILIENCE_SAMPLES"], seen["RESILIENCE_ZERO"]) == ("7", "77")
    assert (PLUGINS / "artillery-plugin-resilience" / "index.js").is_file()


def test_nothing_else_runs_scripts():
    """A driver that is none of the two is told."""
    with pytest.raises(LoadError, match="runs no scripts"):
        program_for("wrk", "", "", {})
