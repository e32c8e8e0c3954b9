"""SQL operations made ready: statements with numbered parameters, the values of one arrival, and what must come back.

In a statement `%(key)s` is a parameter: its value is sent beside the statement, never as a part of it, and PostgreSQL
says by the statement's text what type it has. `%%` is one `%`. What an answer must hold (`values`) is a template like
that of any other operation: `${key}`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from resilience.errors import LoadError
from resilience.load.operations import ACKED_ID, TENANT, Template, Values, allowed_names
from resilience.load.servers import server_name
from resilience.model import WRONG_TENANT, Expect, Json, Operation, Problem, Role, SqlStatement
from resilience.spec.statements import UNDONE, first_word, numbered, problems

_SHOWN = 80
_ISOLATION = "BEGIN ISOLATION LEVEL "


class Table(Protocol):
    """The answer to a statement: rows of texts."""

    @property
    def count(self) -> int:
        """How many rows came, or were changed."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names; none if no rows can come."""

    def text(self, row: int, column: int) -> str | None:
        """A value as PostgreSQL writes it; None is NULL."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, made ready.

    Attributes:
        name: of the prepared statement.
        text: with `$1`, `$2`.
        parameters: the names that these stand for.
        rows, min_rows: how many there must be; None is any number.
        values: column → what it must hold in every row.
        tenant: the column that must hold the arrival's tenant in every row; empty looks at none.
        certain: whether an error that the server answers proves that it had no effect, also outside a transaction.
    """

    name: bytes
    text: bytes
    parameters: tuple[str, ...]
    rows: int | None
    min_rows: int
    values: tuple[tuple[str, Template], ...]
    tenant: str
    certain: bool

    def bound(self, values: Values) -> list[bytes]:
        """Its parameters for one arrival."""
        return [values[name].encode() for name in self.parameters]

    def unmet(self, table: Table, values: Values) -> str:
        """How an answer misses what was expected; empty if it does not."""
        if self.rows is not None and table.count != self.rows:
            return f"unexpected answer: {table.count} rows, expected {self.rows}"
        if table.count < self.min_rows:
            return f"unexpected answer: {table.count} rows, expected {self.min_rows} or more"
        if self.tenant and (fault := _foreign(table, self.tenant, values[TENANT])):
            return fault
        for column, template in self.values:
            if fault := _different(table, column, template.render(values)):
                return fault
        return ""


@dataclass(frozen=True, slots=True)
class Script:
    """What one arrival does: one statement by itself, or several in a transaction.

    Attributes:
        server: where: `Server.name` of `load.postgres`.
        begin: what begins the transaction; empty for a statement by itself.
        values: what the names stand for.
        seeks: the last answer is that of a read-back: `id` and `body` are wanted.
    """

    server: str
    begin: bytes
    statements: tuple[Statement, ...]
    values: Values
    seeks: bool = False


class Prepared:
    """An SQL operation made ready to be sent many times.

    Args:
        operation: with `sql`.
        segments: names that have a value besides those of the operation's role.

    Raises:
        LoadError: it cannot be sent; every reason.
    """

    def __init__(self, operation: Operation, segments: Sequence[str] = ()) -> None:
        sql = operation.sql
        if sql is None:
            raise LoadError(Problem(f"operation {operation.name}", "has no sql"))
        self.operation = operation
        given = sql.statements or (
            SqlStatement(
                statement=sql.statement, rows=sql.rows, min_rows=sql.min_rows, values=sql.values, tenant=sql.tenant
            ),
        )
        wrong = tuple(_problems(operation, given, segments))
        if wrong:
            raise LoadError(wrong)
        self._begin = b"" if not sql.statements else (_ISOLATION + sql.isolation.upper()).encode()
        if sql.statements and not sql.isolation:
            self._begin = b"BEGIN"
        self._server = server_name(sql)
        self._statements = tuple(_ready(one, f"{operation.name}-{number}".encode()) for number, one in enumerate(given))
        self._seeks = operation.role is Role.READ_BACK

    def request(self, values: Values) -> Script:
        """What is sent for one arrival."""
        return Script(self._server, self._begin, self._statements, values, self._seeks and ACKED_ID in values)

    def expect(self, _values: Values) -> Expect:
        """Nothing of HTTP: what must come back stands in the script."""
        return self.operation.expect


def document_of(table: Table) -> Json:
    """An answer as JSON: `{"count": 1, "rows": [{"id": "7", "name": null}]}`."""
    width = range(len(table.columns))
    rows: list[Json] = [
        {table.columns[column]: table.text(row, column) for column in width}
        for row in range(table.count if width else 0)
    ]
    return {"count": table.count, "rows": rows}


def entry_of(table: Table) -> tuple[str | None, str | None] | None:
    """What a read-back found: the columns `id` and `body` of the first row, if there are; None is no row."""
    if not table.count:
        return None
    found = [table.text(0, table.columns.index(name)) if name in table.columns else None for name in ("id", "body")]
    return found[0], found[1]


def _ready(one: SqlStatement, name: bytes) -> Statement:
    text, parameters = numbered(one.statement)
    return Statement(
        name=name,
        text=text.encode(),
        parameters=parameters,
        rows=one.rows,
        min_rows=one.min_rows,
        values=tuple((column, Template(text)) for column, text in one.values.items()),
        tenant=one.tenant,
        certain=first_word(one.statement) in UNDONE,
    )


def _foreign(table: Table, column: str, tenant: str) -> str:
    if column not in table.columns:
        return f"unexpected answer: there is no column {column!r} to tell the tenant by"
    place = table.columns.index(column)
    for row in range(table.count):
        if (found := table.text(row, place)) != tenant:
            return f"{WRONG_TENANT}: a row of {_show(found)} in an answer to {tenant!r}"
    return ""


def _different(table: Table, column: str, wanted: str) -> str:
    if column not in table.columns:
        return f"unexpected answer: there is no column {column!r}"
    place = table.columns.index(column)
    for row in range(table.count):
        if (found := table.text(row, place)) != wanted:
            return f"unexpected answer: {column} is {_show(found)}, expected {wanted[:_SHOWN]!r}"
    return ""


def _show(found: str | None) -> str:
    return "NULL" if found is None else repr(found[:_SHOWN])


def _problems(operation: Operation, given: Sequence[SqlStatement], segments: Sequence[str]) -> Iterator[Problem]:
    where = f"operation {operation.name}"
    allowed = allowed_names(operation, segments)
    for one in given:
        yield from (Problem(where, message, hint) for message, hint in problems(one.statement))
        try:
            names = set(numbered(one.statement)[1])
        except ValueError:
            continue
        names |= {name for text in one.values.values() for name in Template(text).names}
        names |= {TENANT} if one.tenant else set()
        for name in sorted(names - set(allowed)):
            known = ", ".join(allowed)
            yield Problem(where, f"{name!r} has no value in a {operation.role.value}; known are {known}")
