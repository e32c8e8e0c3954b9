"""Secrets in whatever is written."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resilience.record.redact import INSTEAD, Redactor

SECRET = 'p@ss/w"örd+1'
SECRETS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=8, max_size=20)

SPELLINGS = {
    "raw": lambda secret: secret,
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json, unicode kept": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "json, slashes escaped": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "url": lambda secret: quote(secret, safe=""),
    "url, path": quote,
    "url, form": quote_plus,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64, url": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@settings(deadline=None)
@given(secret=SECRETS, before=st.text(max_size=5), after=st.text(max_size=5))
def test_no_spelling_is_written(spelling, secret, before, after):
    """A secret is taken out by value in whatever spelling it comes."""
    assume(secret not in INSTEAD)
    written = Redactor([secret]).text(f"{before}{spelling(secret)}{after}")
    assert INSTEAD in written
    assert secret not in written


@settings(deadline=None)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=24), user=st.text("abc")
)
def test_basic_credentials_are_not_written(secret, user):
    """The password is taken out of `Basic` credentials wherever it begins in them: what is left decodes to less."""
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    written = Redactor([secret]).text(f"Authorization: Basic {encoded}")
    assert INSTEAD in written
    assert encoded not in written


def test_lower_case_percent_encoding():
    """Some programs write `%2f` where others write `%2F`."""
    assert Redactor(["p@ss/wörd"]).text("x=p%40ss%2fw%c3%b6rd&y") == f"x={INSTEAD}&y"


def test_documents_keep_their_structure():
    """Texts and keys of a document lose the secret; numbers, booleans and shape stay."""
    document = {"url": f"http://u:{SECRET}@h", SECRET: [1, True, None, {"deep": (f"x{SECRET}",)}], "n": 1.5}
    assert Redactor([SECRET]).json(document) == {
        "url": f"http://u:{INSTEAD}@h",
        INSTEAD: [1, True, None, {"deep": [f"x{INSTEAD}"]}],
        "n": 1.5,
    }


def test_longer_secret_goes_first():
    """One secret inside another leaves no rest of the longer one."""
    assert Redactor(["secret-one", "secret-one-and-more"]).text("secret-one-and-more") == INSTEAD


def test_short_values_are_left_alone():
    """A value of five characters would be found everywhere by chance."""
    assert Redactor(["redis"]).text("redis is down") == "redis is down"
    assert Redactor([""]).text("abc") == "abc"


def test_no_secrets_change_nothing():
    """Without secrets everything passes as it is."""
    document = {"a": ("b",)}
    assert Redactor().json(document) is document
    assert Redactor().text("abc") == "abc"
