"""Values taken from answers: `json:dotted.path` or `header:Name`. Pure."""

import json

from resilience.load.classify import Happened, Reply, StoreAnswer
from resilience.load.fields import text_at

JSON, HEADER = "json:", "header:"


def taken(happened: Happened, place: str) -> str | None:
    """The text that an answer has at a place; None if it has none, or there was no answer.

    Of a header that stands there several times it is the first; of JSON see `classify.text_at`.
    """
    if isinstance(happened, StoreAnswer):  # of SQL `json:rows.0.id`, of Redis `json:reply`
        return None if place.startswith(HEADER) else text_at(happened.document(), place.removeprefix(JSON))
    if not isinstance(happened, Reply):
        return None
    if place.startswith(HEADER):
        wanted = place.removeprefix(HEADER).lower().encode()
        return next((value.decode("latin-1").strip() for name, value in happened.headers if name == wanted), None)
    try:
        document = json.loads(happened.body) if happened.body else None
    except (ValueError, RecursionError):
        return None
    return text_at(document, place.removeprefix(JSON))
