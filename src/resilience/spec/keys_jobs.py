"""The keys of operations that last: jobs that are followed to their end, and answers that are streamed."""

from collections.abc import Mapping

from resilience.model import Job, StreamedAnswer
from resilience.spec.key import Key, block
from resilience.spec.shapes import LENGTH, NAME, PATH, TEXT, Shape, listing, number

_ANY_TEXT = Shape({"type": "string", "title": "text", "examples": ["[DONE]"]})

JOB_KEYS: Mapping[type, tuple[Key, ...]] = {
    Job: (
        Key("poll", "poll", PATH, "Path that tells how the job is; may hold ${job_id}. Without it: Location."),
        Key("events", "events", PATH, "Path of server-sent events that tell it, instead of poll."),
        Key("id", "id", TEXT, "Dotted path of ${job_id} in the answer that accepts it."),
        Key("interval", "interval_s", LENGTH, "The first question comes after this long."),
        Key("backoff", "backoff", number(1, 10), "Each later interval is longer by this factor."),
        Key("max_interval", "max_interval_s", LENGTH, "The longest interval."),
        Key("poll_timeout", "poll_timeout_s", LENGTH, "The time limit of one question."),
        Key("state", "state", TEXT, "Dotted path of its state."),
        Key("queued", "queued", listing(TEXT), "States in which it waits."),
        Key("done", "done", listing(TEXT, 1), "States in which it is done."),
        Key("failed", "failed", listing(TEXT), "States in which it will never be done."),
        Key("submitted_at", "submitted_at", TEXT, "Dotted path of the service's instant at which it was accepted."),
        Key("started_at", "started_at", TEXT, "Dotted path of the instant at which work on it began."),
        Key("ended_at", "ended_at", TEXT, "Dotted path of the instant at which it was done."),
    ),
    StreamedAnswer: (
        Key("token", "token", TEXT, "Dotted path of a piece of text in an event."),
        Key("end", "end", _ANY_TEXT, "Data of the last event; empty if the end of the answer is the end."),
        Key("error", "error", _ANY_TEXT, "Dotted path of an error in an event."),
        Key("on", "on", NAME, "The part of the stack that is asked, as the service reaches it; else the service."),
    ),
}
"""Keys of blocks of their own."""

LASTING_KEYS = (
    Key("job", "job", block(Job), "How the work is followed that the request asks for, to its end."),
    Key("stream", "stream", block(StreamedAnswer), "How the answer is read that comes as server-sent events."),
)
"""Part of the keys of `model.Operation`."""
