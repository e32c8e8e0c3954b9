"""SQL operations made ready: values are bound, and what must come back is looked at in every row."""

from dataclasses import dataclass

import pytest

from resilience.errors import LoadError
from resilience.load.captures import taken
from resilience.load.classify import StoreAnswer
from resilience.load.sql import Prepared, Table, document_of, entry_of
from resilience.model import WRONG_TENANT, Operation, Role, Sql, SqlStatement


@dataclass
class Rows:
    """An answer."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    @property
    def count(self):
        """How many."""
        return len(self.rows)

    def text(self, row, column):
        """A value."""
        return self.rows[row][column]


def operation(sql: Sql, role: Role = Role.READ) -> Operation:
    """One that asks this."""
    return Operation(name="ask", weight=1, role=role, sql=sql)


def unmet(sql: Sql, table: Table, **values: str) -> str:
    """How an answer misses what a statement by itself expects."""
    (statement,) = Prepared(operation(sql), ["tenant"]).request(values).statements
    return statement.unmet(table, values)


def test_values_are_bound_and_never_a_part_of_the_text():
    """The same text whatever the values; a name that stands twice is one parameter; %% is one % (Requirement L7)."""
    sql = Sql(statement="SELECT 1 WHERE a = %(key)s AND b LIKE 'x%%' AND c = %(tenant)s AND d = %(key)s")
    prepared = Prepared(operation(sql), ["tenant"])
    for key in ("7", "'; DROP TABLE items --", "%(tenant)s", "$2"):
        script = prepared.request({"key": key, "tenant": "red"})
        (statement,) = script.statements
        assert statement.text == b"SELECT 1 WHERE a = $1 AND b LIKE 'x%' AND c = $2 AND d = $1"
        assert statement.bound(script.values) == [key.encode(), b"red"]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT ${key}", "would become a part of the text"),
        ("SELECT 5 % 3", "is no parameter"),
        ("COMMIT", "COMMIT cannot be a statement"),
        ("/* x */ begin", "BEGIN cannot be a statement"),
        ("COPY items FROM stdin", "COPY cannot be a statement"),
        ("-- nothing", "is no statement"),
        ("SELECT %(write_id)s", "'write_id' has no value in a read"),
        ("SELECT %(nobody)s", "'nobody' has no value in a read"),
    ],
)
def test_what_cannot_be_sent_is_refused(statement, told):
    """Before anything is sent, and with the reason."""
    with pytest.raises(LoadError, match=told):
        Prepared(operation(Sql(statement=statement)))


def test_a_transaction_is_one_and_a_statement_by_itself_is_none():
    """BEGIN is said for several statements only, with the isolation that was asked for."""
    many = (SqlStatement(statement="SELECT 1"), SqlStatement(statement="SELECT 2"))
    assert Prepared(operation(Sql(statement="SELECT 1"))).request({}).begin == b""
    assert Prepared(operation(Sql(statements=many))).request({}).begin == b"BEGIN"
    asked = Prepared(operation(Sql(statements=many, isolation="serializable"))).request({})
    assert asked.begin == b"BEGIN ISOLATION LEVEL SERIALIZABLE"
    assert len({statement.name for statement in asked.statements}) == len(many)


TWO = Rows(("id", "tenant"), (("7", "red"), ("7", "blue")))


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ({"rows": 2}, ""),
        ({"rows": 1}, "unexpected answer: 2 rows, expected 1"),
        ({"min_rows": 2}, ""),
        ({"min_rows": 3}, "unexpected answer: 2 rows, expected 3 or more"),
        ({"values": {"id": "${key}"}}, ""),
        ({"values": {"tenant": "red"}}, "unexpected answer: tenant is 'blue', expected 'red'"),
        ({"values": {"name": "x"}}, "unexpected answer: there is no column 'name'"),
        ({"tenant": "tenant"}, f"{WRONG_TENANT}: a row of 'blue' in an answer to 'red'"),
        ({"tenant": "owner"}, "unexpected answer: there is no column 'owner' to tell the tenant by"),
    ],
)
def test_every_row_must_be_as_expected(sql, fault):
    """The second row is looked at as well as the first; the tenant of a foreign row is named."""
    assert unmet(Sql(statement="SELECT 1", **sql), TWO, key="7", tenant="red") == fault


def test_null_is_no_text():
    """A NULL equals no text and belongs to no tenant."""
    nobody = Rows(("tenant",), ((None,),))
    assert unmet(Sql(statement="SELECT 1", tenant="tenant"), nobody, tenant="red").endswith(
        "a row of NULL in an answer to 'red'"
    )
    assert "is NULL" in unmet(Sql(statement="SELECT 1", values={"tenant": ""}), nobody, tenant="red")


def test_a_journey_takes_values_from_an_answer():
    """By the way in which it takes them from JSON; there are no headers, and what is not there is nothing."""
    answer = StoreAnswer(document=lambda: document_of(TWO))
    places = ("json:rows.1.tenant", "json:count", "json:rows.2.tenant", "header:id")
    assert [taken(answer, place) for place in places] == ["blue", "2", None, None]


def test_what_a_read_back_found():
    """By the names of the columns; no row is no entry, and a column that is not there says nothing."""
    assert entry_of(Rows(("body", "id"), (("b", "a"),))) == ("a", "b")
    assert entry_of(Rows(("id",), (("a",),))) == ("a", None)
    assert entry_of(Rows(("id", "body"), ())) is None
    assert document_of(TWO) == {"count": 2, "rows": [{"id": "7", "tenant": "red"}, {"id": "7", "tenant": "blue"}]}
