"""What an operation is called, and what became of it, when only its method and address are known."""

import pytest

from resilience.load.scripts.seen import MAX_DETAILS, Texts, name_by_url, name_of, outcome_of
from resilience.model import Outcome, is_name


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("GET", "http://h:1/items/123?x=1", "get-items-id"),
        ("GET", "http://h:1/items/7", "get-items-id"),
        ("POST", "http://h/orders", "post-orders"),
        ("GET", "http://h/a/0b9c1f3e-0000-4000-8000-1234567890ab/c", "get-a-id-c"),
        ("GET", "http://h/orders/k6-1-2-1700000000000", "get-orders-id"),
        ("", "http://h", "request"),
        ("GET", "http://[::1/items", "get"),
        ("GET", "/" + "x" * 300, "get-" + "x" * 59),
    ],
)
def test_a_request_without_a_name_is_called_by_its_method_and_path(method, url, name):
    """Ids in paths must not make a new operation of each request; whatever it is, it is a name."""
    assert name_by_url(method, url) == name
    assert is_name(name)


def test_any_text_becomes_a_name():
    """Names of scripts are free text; ours are not."""
    assert [name_of(text) for text in ("Read Item", "::setup::x", "—", "a" * 80)] == [
        "read-item",
        "setup-x",
        "operation",
        "a" * 63,
    ]


@pytest.mark.parametrize(
    ("method", "ok", "not_sent", "outcome"),
    [
        ("GET", True, False, Outcome.OK),
        ("GET", False, False, Outcome.FAILED),
        ("post", False, False, Outcome.UNKNOWN),
        ("DELETE", False, True, Outcome.FAILED),
        ("", False, False, Outcome.FAILED),
    ],
)
def test_failed_is_said_only_of_what_certainly_had_no_effect(method, ok, not_sent, outcome):
    """Of a write that was not answered well nobody knows; only one that was not sent has certainly failed."""
    assert outcome_of(method, ok=ok, not_sent=not_sent) is outcome


def test_details_stay_few():
    """A program that says something new each time must not fill the record with it."""
    texts = Texts({})
    said = {texts.take(f"error at {number}", "an error") for number in range(10 * MAX_DETAILS)}
    assert len(said) == MAX_DETAILS + 1
    assert "an error" in said
