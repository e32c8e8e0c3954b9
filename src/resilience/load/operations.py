"""Operations made ready: an `Operation` and the values of one arrival give the bytes of a request and what to expect.

Names are replaced like this:

* in the path they are percent-encoded; the literal part of the path is encoded where it must be;
* in header values and inside JSON strings they are text;
* a JSON string that is exactly `"${key}"`, `"${number}"`, `"${amount}"` or `"${version}"` becomes an integer;
* so does one that is exactly the name of a number or truth value of the test data;
* names of JSON members are left as they are.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from resilience.errors import LoadError
from resilience.model import Expect, Json, Operation, Problem, Role

KEY, WRITE_ID, WRITE_BODY, ACKED_ID = "key", "write_id", "write_body", "acked_id"
OBJECT, NUMBER, OTHER, AMOUNT, VERSION = "object", "number", "other", "amount", "version"
OFFSET, EPOCH = "offset", "epoch"
"""Of a subscription that is resumed."""
NAMES = (KEY, WRITE_ID, WRITE_BODY, ACKED_ID)
TENANT, REGION, RUN = "tenant", "region", "run"
_NUMBERS = {f"${{{name}}}": name for name in (KEY, NUMBER, AMOUNT, VERSION, OFFSET)}
Values: TypeAlias = Mapping[str, str]

_NAME = re.compile(r"\$\{([^}]*)\}")
_LITERAL = "/?&=%:@!$'()*+,;~-._[]"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "expect"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent: the bytes, and whether the answer can have no body (HEAD)."""

    content: bytes
    no_body: bool = False


class Typed(str):
    """The value of a name that stands in JSON as what it is, a number or a truth value, where it stands alone."""

    __slots__ = ()


class Template:
    """A text with names in it. `encode` is applied to each value."""

    __slots__ = ("_encode", "_parts")

    def __init__(self, text: str, encode: Callable[[str], str] = str) -> None:
        # split gives literal, name, literal, name, …, literal
        self._parts = tuple(_NAME.split(text))
        self._encode = encode

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, in order."""
        return self._parts[1::2]

    def render(self, values: Values) -> str:
        """The text with every name replaced."""
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        encode = self._encode
        return "".join([encode(values[part]) if place % 2 else part for place, part in enumerate(parts)])


def header_text(value: str) -> str:
    """A value as it stands in a header.

    Raises:
        LoadError: it cannot stand there; it is not shown, as it may be a secret.
    """
    if not (value.isascii() and value.isprintable()):
        raise LoadError("a value for a header is not printable ASCII, and cannot be sent")
    return value


def head_of(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The head of one request, with the blank line after it; what cannot stand in a path is percent-encoded.

    Raises:
        LoadError: it cannot be sent; every reason. Values of headers are not shown, as they may be secrets.
    """
    problems = []
    if not path.startswith("/"):
        problems.append(Problem("path", f"{path!r} does not begin with /"))
    if not re.fullmatch(r"[A-Z]+", method):
        problems.append(Problem("method", f"{method!r} is not a word in capitals such as GET"))
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            problems.append(Problem(f"header {name!r}", "it cannot be sent; printable ASCII was expected"))
        if name.lower() in _OURS:
            problems.append(Problem(f"header {name!r}", "it is set by the client itself", "leave it out"))
    if problems:
        raise LoadError(tuple(problems))
    given = {name.lower() for name in headers}
    ours = {"Host": host, "User-Agent": "resilience", "Accept": "*/*"}
    lines = [f"{name}: {value}\r\n" for name, value in ours.items() if name.lower() not in given]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}\r\n")
    return f"{method} {quote(path, _LITERAL)} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")


class Document:
    """A JSON document with names in its texts, as bytes; nothing for None."""

    __slots__ = ("_constant", "_json", "varies")

    def __init__(self, json: Json) -> None:
        self._json = json
        self.varies = any(_NAME.search(text) for text in _texts(json))
        self._constant = b"" if json is None or self.varies else _dump(json)

    def render(self, values: Values) -> bytes:
        """The document with every name replaced."""
        return _dump(_fill(self._json, values)) if self.varies else self._constant


def resource(base_url: str, path: str) -> Template:
    """Path and query of what is asked for, under the path of the base address."""
    return Template(_encode_literals(urlsplit(base_url).path.rstrip("/") + path), lambda value: quote(value, ""))


class Prepared:
    """An operation made ready to be rendered many times.

    Args:
        operation: as written.
        base_url: `http://host:port`, perhaps with a path that all paths are under.
        segments: names that have a value besides those of the operation's role: TENANT, REGION.

    Attributes:
        constant: whether every request is the same, and what is expected of its answer.

    Raises:
        LoadError: it cannot be sent; every reason.
    """

    def __init__(self, operation: Operation, base_url: str, segments: Sequence[str] = ()) -> None:
        self.operation = operation
        problems = tuple(_problems(operation, segments))
        if problems:
            raise LoadError(problems)
        split = urlsplit(base_url)
        self._path = resource(base_url, operation.path)
        headers = {"Host": split.netloc.rpartition("@")[2], "User-Agent": "resilience", "Accept": "*/*"}
        if operation.json is not None:
            headers["Content-Type"] = "application/json"
        given = {name.lower() for name in operation.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in given}
        headers.update(operation.headers)
        self._headers = Template("".join(f"{name}: {value}\r\n" for name, value in headers.items()), header_text)
        self._json = Document(operation.json)
        self._expect = {path: Template(text) for path, text in operation.expect.json.items()}
        self._expect_varies = any(template.names for template in self._expect.values())
        varies = self._json.varies or self._expect_varies
        self.constant = not (varies or self._path.names or self._headers.names)
        self._length_needed = operation.json is not None or operation.method in {"POST", "PUT", "PATCH"}

    def request(self, values: Values) -> Request:
        """The bytes for one arrival."""
        method = self.operation.method
        body = self._json.render(values)
        length = f"Content-Length: {len(body)}\r\n" if self._length_needed else ""
        head = f"{method} {self._path.render(values)} HTTP/1.1\r\n{self._headers.render(values)}{length}\r\n"
        return Request(head.encode("latin-1") + body, no_body=method == "HEAD")

    def expect(self, values: Values) -> Expect:
        """What a good answer to it is."""
        if not self._expect_varies:
            return self.operation.expect
        texts = {path: template.render(values) for path, template in self._expect.items()}
        return Expect(status=self.operation.expect.status, json=texts)


def paths_of(operations: Sequence[Operation], name: str, default: str, account: str = "") -> str:
    """Where an account's first write that sends `${name}` as a value of its own has it in its JSON: a dotted path."""
    wanted = f"${{{name}}}"
    for operation in operations:
        if operation.role is Role.WRITE and operation.account == account:
            for path, text in _paths(operation.json, ()):
                if text == wanted:
                    return path
    return default


def _paths(document: Json, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(document, str):
        yield ".".join(above), document
    elif isinstance(document, Mapping):
        for name, value in document.items():
            yield from _paths(value, (*above, name))
    elif isinstance(document, list | tuple):
        for place, value in enumerate(document):
            yield from _paths(value, (*above, str(place)))


def _texts(document: Json) -> Iterator[str]:
    return (text for _, text in _paths(document, ()))


def _fill(document: Json, values: Values) -> Json:
    if isinstance(document, str):
        if document in _NUMBERS:
            return int(values[_NUMBERS[document]])
        if "${" not in document:
            return document
        alone = _NAME.fullmatch(document)
        if alone and isinstance(value := values[alone[1]], Typed):
            typed: Json = json.loads(value)
            return typed
        return _NAME.sub(lambda match: values[match[1]], document)
    if isinstance(document, Mapping):
        return {name: _fill(value, values) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_fill(value, values) for value in document]
    return document


def _dump(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _encode_literals(path: str) -> str:
    """The path with whatever cannot stand in one percent-encoded, and the names left in place."""
    parts = _NAME.split(path)
    return "".join(f"${{{part}}}" if place % 2 else quote(part, _LITERAL) for place, part in enumerate(parts))


def allowed_names(operation: Operation, segments: Sequence[str]) -> tuple[str, ...]:
    """The names that have a value when such an operation is sent."""
    if operation.role is Role.WRITE and operation.account:
        return (KEY, WRITE_ID, WRITE_BODY, OBJECT, NUMBER, OTHER, AMOUNT, VERSION, *segments)
    if operation.role is Role.READ_BACK and operation.account:
        return (KEY, ACKED_ID, OBJECT, NUMBER, *segments)
    own = {
        Role.READ: (KEY,),
        Role.WRITE: (KEY, WRITE_ID, WRITE_BODY),
        Role.READ_BACK: (KEY, ACKED_ID),
    }
    return (*own[operation.role], *segments)


def _problems(operation: Operation, segments: Sequence[str]) -> Iterator[Problem]:
    where = f"operation {operation.name}"
    if not operation.path.startswith("/"):
        yield Problem(where, f"path {operation.path!r} does not begin with /")
    if not re.fullmatch(r"[A-Z]+", operation.method):
        yield Problem(where, f"method {operation.method!r} is not a word in capitals such as GET")
    for name, value in operation.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            yield Problem(where, f"header {name!r}: {value!r} cannot be sent; printable ASCII was expected")
        if name.lower() in _OURS:
            yield Problem(where, f"header {name!r} is set by the client itself", "leave it out")
    allowed = allowed_names(operation, segments)
    texts = (operation.path, *operation.headers.values(), *_texts(operation.json), *operation.expect.json.values())
    for name in sorted({name for text in texts for name in _NAME.findall(text)} - set(allowed)):
        known = ", ".join(f"${{{one}}}" for one in allowed)
        yield Problem(where, f"${{{name}}} has no value in a {operation.role.value}; known are {known}")
