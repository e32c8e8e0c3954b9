"""Keys of load by WebSocket: what an operation exchanges, and long-lived subscriptions."""

from collections.abc import Mapping

from resilience.model import Delivered, Exchange, Subscription
from resilience.spec.key import Key, block
from resilience.spec.shapes import (
    DURATION,
    FLAG,
    LENGTH,
    NAME,
    PATH,
    TEXT,
    Shape,
    choice,
    count,
    listing,
    number,
    texts,
)

_JSON = Shape({})
_WHERE = "Dotted path → text."

WEBSOCKET_OPERATION: tuple[Key, ...] = (
    Key("websocket", "websocket", block(Exchange), "What is exchanged by WebSocket, instead of an HTTP request."),
)
"""Keys of an operation."""

SUBSCRIPTIONS: tuple[Key, ...] = (
    Key("subscriptions", "subscriptions", listing(block(Subscription)), "Long-lived WebSocket connections."),
)
"""Keys of the load."""

WEBSOCKET_KEYS: Mapping[type, tuple[Key, ...]] = {
    Exchange: (
        Key("path", "path", PATH, "Path and query that is opened; may hold names such as ${key}."),
        Key("headers", "headers", texts("Name → text."), "Headers of the handshake; their values may hold the same."),
        Key("send", "send", _JSON, "JSON that is sent; the next message is the answer. Without it: open and close."),
    ),
    Subscription: (
        Key("name", "name", NAME, "Of the operation whose samples are delivered messages; NAME-connect is connecting."),
        Key("account", "account", NAME, "The account, a stream, whose every message must be delivered."),
        Key("path", "path", PATH, "Path and query that is opened."),
        Key("headers", "headers", texts("Name → text."), "Headers of the handshake."),
        Key("connections", "connections", count(1, 1_000_000), "How many subscribers."),
        Key("connect_rate", "connect_rate", number(0, 1_000_000), "How many connect per second; 0 is all at once."),
        Key("subscribe", "subscribe", _JSON, "JSON that is sent first."),
        Key("resume", "resume", _JSON, 'Instead, on coming back: may hold "${offset}" (a number then) and ${epoch}.'),
        Key("confirmed", "confirmed", texts(_WHERE), "How the message is known that confirms: dotted path → text."),
        Key("message", "message", block(Delivered), "Where things are in a message."),
        Key("history", "history", choice("kept", "announced"), "Whether messages may be missed if that is announced."),
        Key("timeout", "timeout_s", LENGTH, "For connecting; a message that takes longer is a failed sample."),
        Key("retry", "retry_s", DURATION, "Before connecting again; doubled each time, and drawn from its half up."),
        Key("retry_limit", "retry_limit_s", DURATION, "The longest of these."),
        Key("ping", "ping_s", DURATION, "A connection silent for so long is pinged; 0s never."),
        Key("settle", "settle_s", DURATION, "How long is waited at most in the end for what has not come."),
        Key("critical", "critical", FLAG, "Whether deliveries must hold under fault."),
    ),
    Delivered: (
        Key("id", "id", TEXT, "Dotted path of the entry's id."),
        Key("body", "body", TEXT, "Dotted path of its body."),
        Key("offset", "offset", TEXT, "Dotted path of the offset, in messages and in what confirms."),
        Key("epoch", "epoch", TEXT, "Dotted path of the epoch, in what confirms."),
        Key("recovered", "recovered", TEXT, "Dotted path of what is true if nothing is missing, in what confirms."),
    ),
}
