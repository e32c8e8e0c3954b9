"""What looks like production is found by its name, and only consent to that very name lets it through."""

import json
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import CacheCopy, Exchange, Ledger, Operation, RedisCommand, Role, Sql, SqlStatement, Truth
from resilience.spec.parse import parse
from resilience.spec.production import PATTERNS, Thing, looks_like, names_in, refused, things, writers
from tests.program import SHIPPED, short

LETTERS = string.ascii_lowercase
WORDS = st.text(LETTERS, min_size=1, max_size=8)
SEPARATORS = st.sampled_from([".", "-", "_", "/", " ", ":", "@"])


@given(st.lists(WORDS, max_size=4), st.sampled_from(PATTERNS), st.integers(0, 4), SEPARATORS, st.booleans())
def test_a_whole_word_is_found_wherever_it_stands(others, pattern: str, at: int, separator: str, upper: bool):
    """Between any separators, in any case, with a number behind it."""
    words = [*others[:at], pattern.upper() if upper else f"{pattern}{at}", *others[at:]]
    assert looks_like(separator.join(words), PATTERNS)


@given(st.lists(WORDS, min_size=1, max_size=5), SEPARATORS)
def test_nothing_else_is_found(words, separator: str):
    """A name of which no word is a pattern is none, whatever its words contain."""
    kept = [word for word in words if word not in PATTERNS]
    assert looks_like(separator.join(kept), PATTERNS) == ""


@pytest.mark.parametrize("name", ["product-catalog", "reproduce", "delivery", "alive", "shop", "", "127.0.0.1"])
def test_parts_of_words_do_not_count(name: str):
    """`product` is no production."""
    assert looks_like(name, PATTERNS) == ""


def test_camel_case_and_patterns_with_stars():
    """`shopProd` has the word; the environment's patterns are compared with the whole name, too."""
    assert looks_like("shopProd", PATTERNS) == "prod"
    assert looks_like("eu1.shop.example.com", ["*.shop.example.com"])
    assert looks_like("eu1.shop.example.org", ["*.shop.example.com", " ", ""]) == ""


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("postgresql://me:prod@db.live.example.com:5432/shop_prod", ("db.live.example.com", "shop_prod")),
        ("postgresql://a,b:5433/x?host=c", ("a", "b", "x", "c")),
        ("host=db1,db2 port=5432 dbname=shop user=prod password=prod", ("db1", "db2", "shop")),
        ("host = 'db.prod'", ("db.prod",)),
        ("http://[::1]:8080/prod", ("::1",)),
        ("redis://:secret@cache-prod:6379/0", ("cache-prod",)),
        ("just text", ()),
        ("http://[broken", ()),
    ],
)
def test_names_in_addresses(address: str, names: tuple[str, ...]):
    """Hosts and databases, in both ways to write them; users, passwords and paths of URLs are none."""
    assert names_in(address) == names


@given(st.text(LETTERS + ".-", min_size=1, max_size=20), st.text(LETTERS + ".-", min_size=1, max_size=20))
def test_consent_is_for_the_very_name(name: str, other: str):
    """Consent to something else is none; to the name itself it is."""
    found = [Thing("target", f"{name}-prod")]
    assert refused(found, PATTERNS, [f"{name}-prod"]) == ()
    assert refused(found, PATTERNS, [f"{name}-PROD "]) == ()
    if other != f"{name}-prod":
        (problem,) = refused(found, PATTERNS, [other, "prod", ""])
        assert f"--consent {name}-prod" in problem.hint


def test_everything_that_a_run_would_touch():
    """Target, addresses in environments, the truth's host, Kubernetes contexts and URLs of activities."""
    document = short("redis-down")
    own = document["extensions"][0]
    own["target"] = "shop-prod"
    own["stack"]["service"]["environment"]["API_URL"] = "https://api.live.example.com/v1"
    document["configuration"] = {"KUBERNETES_CONTEXT": {"type": "env", "key": "CONTEXT"}}
    document["rollbacks"] = [
        {
            "type": "action",
            "name": "call",
            "provider": {"type": "http", "url": "https://hook.example.com/x"},
        }
    ]
    experiment = parse(json.dumps(document).encode(), "x.json", "/x")
    cache = CacheCopy(dsn_env="CACHE", key="order:{id}")
    ledger = Ledger(truth=Truth(part="", dsn_env="TRUTH", query="…"), cache=cache)
    environment = {"TRUTH": "postgresql://u:hunter2@db.prod/shop", "CONTEXT": "eu-prod", "PGHOST": "ignored-too"}
    environment["CACHE"] = "rediss://:hunter2@cache.prod:6379/0"
    found = {thing.name: thing.where for thing in things(replace(experiment, ledger=ledger), environment)}
    assert found == {
        "shop-prod": "target",
        "api.live.example.com": "stack.service.environment.API_URL",
        "db.prod": "TRUTH",
        "shop": "TRUTH",
        "cache.prod": "CACHE",
        "ignored-too": "PGHOST",
        "eu-prod": "configuration.KUBERNETES_CONTEXT",
        "hook.example.com": "rollbacks[0].provider.url",
    }


def test_the_shipped_experiment_is_none():
    """What runs on this machine alone needs nobody's consent."""
    experiment = parse(SHIPPED.read_bytes(), SHIPPED.name, str(SHIPPED.parent))
    assert refused(things(experiment, {}), PATTERNS, []) == ()


READ, WRITE = {"name": "a", "weight": 1.0, "path": "/"}, Role.WRITE


@pytest.mark.parametrize(
    ("operation", "writes"),
    [
        (Operation(**READ), False),
        (Operation(**READ, method="HEAD"), False),
        (Operation(**READ, method="POST"), True),
        (Operation(**READ, role=WRITE), True),
        (Operation(**READ, redis=RedisCommand(command=("get", "x"))), False),
        (Operation(**READ, redis=RedisCommand(command=("SET", "x", "y"))), True),
        (Operation(**READ, redis=RedisCommand(command=("EVAL", "return 1"))), True),
        (Operation(**READ, sql=Sql(statement="SELECT * FROM items WHERE updated_at > 0")), False),
        (Operation(**READ, sql=Sql(statement="WITH x AS (DELETE FROM items) SELECT 1")), True),
        (
            Operation(
                **READ, sql=Sql(statements=(SqlStatement(statement="SELECT 1"), SqlStatement(statement="update a")))
            ),
            True,
        ),
        (Operation(**READ, websocket=Exchange(path="/")), True),
    ],
)
def test_what_may_write_test_data(operation: Operation, writes: bool):
    """Requirement L4: only what certainly reads does not; a method, a command or a word decides."""
    content = parse(SHIPPED.read_bytes(), SHIPPED.name, "/x")
    experiment = replace(content, load=replace(content.load, operations=(operation,)))
    assert bool(writers(experiment)) is writes


def test_a_script_may_write_whatever_it_likes():
    """Requirement L4: nobody can know what a script of k6 or Artillery sends."""
    content = parse(SHIPPED.read_bytes(), SHIPPED.name, "/x")
    load = replace(content.load, operations=(), driver="k6", script="shop.js")
    assert writers(replace(content, load=load)) == ("shop.js",)


def test_test_data_needs_consent_by_name_of_its_own():
    """Requirement L4: for each thing, and only where something writes."""
    found = [Thing("target", "shop-prod"), Thing("TRUTH_DSN", "db.live"), Thing("x", "elsewhere")]
    consent = ["shop-prod", "db.live"]
    assert refused(found, PATTERNS, consent) == ()
    problems = refused(found, PATTERNS, consent, ["a", "b", "c", "d"])
    assert [(one.where, "a, b, c, …" in one.message) for one in problems] == [("target", True), ("TRUTH_DSN", True)]
    (problem,) = refused(found, PATTERNS, [*consent, "DATA:shop-prod"], ["a"])
    assert problem.where == "TRUTH_DSN"
    assert "--consent data:db.live" in problem.hint
    assert refused(found, PATTERNS, [*consent, "data:shop-prod", "data:db.live"], ["a"]) == ()
    assert len(refused(found, PATTERNS, ["data:shop-prod", "data:db.live"], ["a"])) == 2
