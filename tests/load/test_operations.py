"""Operations made ready."""

import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import LoadError
from resilience.load.operations import Prepared, paths_of
from resilience.model import Expect, Operation, Role

URL = "http://127.0.0.1:8080"
VALUES = {"key": "17", "write_id": "r-001", "write_body": "the|body", "acked_id": "r-000"}


def operation(**changes) -> Operation:
    return Operation(**{"name": "op", "weight": 1.0, "method": "GET", "path": "/", **changes})


def sent(request) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.content.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_names_are_replaced_in_path_headers_and_json():
    """Every place that may hold a name gets its value."""
    write = operation(
        method="POST",
        path="/orders/${key}",
        role=Role.WRITE,
        headers={"Idempotency-Key": "k-${write_id}"},
        json={"id": "${write_id}", "list": ["a ${key} b", 1, None, True], "body": "${write_body}"},
        expect=Expect(status=(201,), json={"id": "${write_id}"}),
    )
    prepared = Prepared(write, URL)
    first, headers, body = sent(prepared.request(VALUES))
    assert first == "POST /orders/17 HTTP/1.1"
    assert headers["Idempotency-Key"] == "k-r-001"
    assert headers["Host"] == "127.0.0.1:8080"
    assert headers["Content-Type"] == "application/json"
    assert int(headers["Content-Length"]) == len(body)
    assert json.loads(body) == {"id": "r-001", "list": ["a 17 b", 1, None, True], "body": "the|body"}
    assert prepared.expect(VALUES) == Expect(status=(201,), json={"id": "r-001"})


def test_a_json_string_that_is_only_the_key_becomes_a_number():
    """`"${key}"` alone is an integer; inside a longer string, and for every other name, it is text."""
    write = operation(role=Role.WRITE, json={"item": "${key}", "name": "n${key}", "id": "${write_id}"})
    _, _, body = sent(Prepared(write, URL).request(VALUES))
    assert json.loads(body) == {"item": 17, "name": "n17", "id": "r-001"}


@given(st.text())
def test_any_value_can_stand_in_a_path(value):
    """A value in a path is percent-encoded: it cannot add a segment, a query or a line."""
    prepared = Prepared(operation(path="/items/${key}/end?q=ä b"), URL)
    first, _, _ = sent(prepared.request({"key": value.encode("utf-8", "replace").decode()}))
    method, path, version = first.split(" ")
    assert (method, version) == ("GET", "HTTP/1.1")
    assert unquote(path) == f"/items/{value.encode('utf-8', 'replace').decode()}/end?q=ä b"
    assert path.count("/") == 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_json_without_names_arrives_as_written(document):
    """Requests carry the JSON of the experiment unchanged."""
    text = json.dumps(document)
    if document is None or "${" in text:
        return
    _, _, body = sent(Prepared(operation(method="POST", json=document), URL).request(VALUES))
    assert json.loads(body) == document


def test_own_headers_replace_ours_whatever_their_case():
    """A header of the experiment takes the place of the default one."""
    _, headers, _ = sent(Prepared(operation(headers={"user-agent": "me", "HOST": "shop"}), URL).request(VALUES))
    assert headers == {"user-agent": "me", "HOST": "shop", "Accept": "*/*"}


def test_base_url_with_a_path_and_credentials():
    """A path of the base address is kept in front; credentials in it are never sent as part of Host."""
    first, headers, _ = sent(Prepared(operation(path="/x"), "http://u:p@shop:1/api/").request(VALUES))
    assert first == "GET /api/x HTTP/1.1"
    assert headers["Host"] == "shop:1"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_without_body_says_so(method):
    """Methods that ordinarily have a body say that theirs is empty."""
    assert sent(Prepared(operation(method=method), URL).request(VALUES))[1]["Content-Length"] == "0"


def test_everything_wrong_is_listed_at_once():
    """Bad method, path, header and names are all reported, each with its value."""
    wrong = operation(
        method="get",
        path="items/${acked_id}",
        headers={"X": "a\r\nb", "Content-Length": "3", "Ü": "1"},
        expect=Expect(json={"id": "${nothing}"}),
    )
    with pytest.raises(LoadError) as caught:
        Prepared(wrong, URL)
    text = str(caught.value)
    for part in ("'get'", "'items/${acked_id}'", "'X'", "'Content-Length'", "'Ü'", "${acked_id}", "${nothing}"):
        assert part in text


def test_where_the_write_has_its_id_and_body():
    """The dotted paths at which the first write sends id and body, or the default."""
    write = operation(role=Role.WRITE, json={"order": {"ref": "${write_id}", "notes": ["x", "${write_body}"]}})
    assert paths_of((operation(), write), "write_id", "id") == "order.ref"
    assert paths_of((operation(), write), "write_body", "body") == "order.notes.1"
    assert paths_of((operation(),), "write_body", "body") == "body"


def test_only_what_is_the_same_every_time_is_constant():
    """A name anywhere in a request, or in what is expected of its answer, makes it one that is rendered each time."""

    def constant(**changes) -> bool:
        return Prepared(operation(**changes), URL).constant

    assert constant()
    assert constant(json={"a": 1}, headers={"X": "y"}, expect=Expect(json={"id": "7"}))
    assert not constant(path="/x/${key}")
    assert not constant(json={"a": ["${key}"]})
    assert not constant(headers={"X": "${key}"})
    assert not constant(expect=Expect(json={"id": "${key}"}))
