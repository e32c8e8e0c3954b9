"""What the stand-in answers: the same to the same, in the shapes that clients know (Requirement F5)."""

import base64
import json
import math
import struct

import pytest

from resilience.provider import answers
from resilience.provider.answers import Refused

CHAT = {"model": "m", "messages": [{"role": "user", "content": "how are you"}]}


def test_the_same_request_has_the_same_answer():
    """Nothing is drawn anew: an experiment sees the same twice; another question, model or seed has another answer."""
    first = answers.completion(CHAT)
    assert answers.completion(json.loads(json.dumps(CHAT))) == first
    others = [{**CHAT, "model": "n"}, {**CHAT, "seed": 1}, {**CHAT, "messages": [{"role": "user", "content": "?"}]}]
    assert all(answers.completion(other)["choices"] != first["choices"] for other in others)


def test_usage_counts_and_the_limit_holds():
    """Words are counted as tokens; what is cut to `max_tokens` says so."""
    document = answers.completion({**CHAT, "max_tokens": 2})
    assert document["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    (choice,) = document["choices"]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"].split()) == 2
    assert answers.completion(CHAT)["choices"][0]["finish_reason"] == "stop"


def test_a_stream_says_what_the_whole_says():
    """The pieces, put together, are the answer; the first names the role, the last says why it ends."""
    found = list(answers.pieces(CHAT))
    said = "".join(piece["choices"][0]["delta"].get("content", "") for piece in found)
    assert said == answers.completion(CHAT)["choices"][0]["message"]["content"]
    assert found[0]["choices"][0]["delta"]["role"] == "assistant"
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    assert {piece["id"] for piece in found} == {answers.completion(CHAT)["id"]}


def test_embeddings_have_length_one_in_both_formats():
    """A vector for each text, of length 1, as figures or packed."""
    body = {"model": "m", "input": ["one", "two"], "dimensions": 16}
    plain = [entry["embedding"] for entry in answers.embeddings(body)["data"]]
    assert [round(math.hypot(*vector), 9) for vector in plain] == [1.0, 1.0]
    assert plain[0] != plain[1]
    packed = answers.embeddings({**body, "encoding_format": "base64"})["data"][0]["embedding"]
    assert struct.unpack("<16f", base64.b64decode(packed)) == pytest.approx(plain[0], abs=1e-6)


@pytest.mark.parametrize(
    ("content", "parameter"),
    [(b"{", "body"), (b"[]", "body"), (b"{}", "model"), (b'{"model": ""}', "model")],
)
def test_what_is_no_request_is_refused(content: bytes, parameter: str):
    """As a provider would: with the parameter that is wrong."""
    with pytest.raises(Refused) as refused:
        answers.parsed(content)
    assert refused.value.document["error"]["param"] == parameter
    assert refused.value.document["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("change", "parameter"),
    [({"messages": []}, "messages"), ({"messages": ["hi"]}, "messages"), ({"max_tokens": 0}, "max_tokens")],
)
def test_a_wrong_chat_is_refused(change: dict, parameter: str):
    """As above."""
    with pytest.raises(Refused) as refused:
        answers.completion({**CHAT, **change})
    assert refused.value.document["error"]["param"] == parameter


@pytest.mark.parametrize("change", [{"input": []}, {"input": [""]}, {"input": 3}, {"dimensions": 0}])
def test_wrong_embeddings_are_refused(change: dict):
    """As above."""
    with pytest.raises(Refused):
        answers.embeddings({"model": "m", "input": "one", **change})
