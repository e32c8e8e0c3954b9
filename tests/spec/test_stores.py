"""Operations that ask a store directly: read as written, and refused with everything that does not fit."""

import pytest

from resilience.model import Load, Operation, Place, RedisCommand, Sql, SqlStatement
from resilience.spec.parse import parse
from resilience.spec.stores import asked
from tests.spec.changing import OWN, REMOVED, changed, problems

AT = f"{OWN}.load.operations[0]"
READ = "SELECT id FROM items WHERE id = %(key)s"


def with_sql(more=None, **sql):
    """A file whose first operation asks PostgreSQL."""
    return {"OWN.load.operations[0]": {"name": "read-item", "weight": 70, "sql": sql, **(more or {})}}


def with_redis(**redis):
    """A file whose first operation asks Redis."""
    return {"OWN.load.operations[0]": {"name": "read-item", "weight": 70, "redis": redis}}


def first_of(changes):
    """The first operation, as it was read."""
    return parse(changed(changes), "x.json", "/x").load.operations[0]


def test_a_statement_is_read_as_written():
    """With its defaults; the protocol follows from it (Requirement L7)."""
    operation = first_of(with_sql(statement=READ, rows=1, values={"id": "${key}"}))
    assert operation.sql == Sql(statement=READ, rows=1, values={"id": "${key}"})
    assert operation.protocol == "postgres"


def test_a_transaction_is_read_as_written():
    """Statements in order, each with what must come back."""
    operation = first_of(
        with_sql(statements=[{"statement": READ, "rows": 1}, {"statement": "SELECT 2"}], isolation="serializable")
    )
    made = (SqlStatement(statement=READ, rows=1), SqlStatement(statement="SELECT 2"))
    assert operation.sql == Sql(statements=made, isolation="serializable")


def test_a_command_is_read_as_written():
    """Words in order; the protocol follows from it."""
    operation = first_of(with_redis(command=["GET", "item:${key}"], found=True))
    assert operation.redis == RedisCommand(command=("GET", "item:${key}"), found=True)
    assert operation.protocol == "redis"


@pytest.mark.parametrize(
    ("changes", "where", "told"),
    [
        (with_sql(statement="SELECT %(kye)s"), f"{AT}.sql.statement", "%(kye)s is not known to a read"),
        (with_sql(statement="SELECT ${key}"), f"{AT}.sql.statement", "would become a part of the text"),
        (with_sql(statement="COMMIT"), f"{AT}.sql.statement", "COMMIT cannot be a statement"),
        (with_sql(rows=1), f"{AT}.sql.statement", "is missing"),
        (with_sql(statement=READ, isolation="serializable"), f"{AT}.sql.isolation", "is of a transaction"),
        (with_sql(statement=READ, statements=[{"statement": READ}]), f"{AT}.sql.statements", "a statement besides"),
        (with_sql(statements=[{"statement": READ}], rows=1), f"{AT}.sql.rows", "belongs to one of the statements"),
        (with_sql(statement=READ, values={"id": "${kye}"}), f"{AT}.sql.values.id", "${kye} is not known"),
        (with_sql(statement=READ, tenant="owner"), f"{AT}.sql.tenant", "the load has no tenants"),
        (with_sql(statement=READ, isolation="none"), f"{AT}.sql.isolation", '"none"'),
        (with_redis(command=["SUBSCRIBE", "x"]), f"{AT}.redis.command", "something else than one reply"),
        (with_redis(command=["${key}"]), f"{AT}.redis.command", "is no command"),
        (with_redis(command=["GET", "${kye}"]), f"{AT}.redis.command[1]", "${kye} is not known"),
        (with_redis(command=["GET", "x"], reply="${kye}"), f"{AT}.redis.reply", "${kye} is not known"),
        (with_redis(command=["GET", "x"], body="body"), f"{AT}.redis.body", "is of a read-back"),
        (with_redis(command=["GET", "x"], tenant="owner"), f"{AT}.redis.tenant", "the load has no tenants"),
        ({"OWN.load.operations[0].request": REMOVED}, f"{AT}.request", "nothing says what is sent"),
        ({"OWN.load.operations[0].sql": {"statement": READ}}, AT, "sent in one way"),
        (with_sql({"expect": {"status": [204]}}, statement=READ), f"{AT}.expect", "about answers of HTTP"),
    ],
    ids=lambda value: str(value)[-50:],
)
def test_what_does_not_fit_is_told_with_its_path(changes, where, told):
    """Each mistake at its own place, before anything is touched."""
    found = [problem for problem in problems(changed(changes)) if problem.where == where]
    assert found, problems(changed(changes))
    assert told in found[0].message


def test_a_write_must_send_what_tells_it_from_others():
    """As by HTTP: its id and its body, as parameters."""
    write = {"name": "place-order", "weight": 10, "role": "write"}
    good = "INSERT INTO orders (id, body) VALUES (%(write_id)s, %(write_body)s)"
    content = changed({"OWN.load.operations[2]": {**write, "sql": {"statement": good}}})
    assert parse(content, "x.json", "/x").load.operations[2].sql == Sql(statement=good)
    bad = "INSERT INTO orders (id) VALUES (%(write_id)s)"
    (problem,) = problems(changed({"OWN.load.operations[2]": {**write, "sql": {"statement": bad}}}))
    assert "does not send ${write_body}" in problem.message


def test_only_the_parts_that_are_asked_are_given_to_the_load():
    """Neither others of the stack nor what a variable names."""
    places = {name: Place(name=name, host="h", port=1, via_port=1) for name in ("postgres", "redis", "service")}
    operations = (
        Operation(name="a", weight=1, sql=Sql(statement="SELECT 1")),
        Operation(name="b", weight=1, redis=RedisCommand(command=("PING",), dsn_env="X")),
    )
    assert asked(Load(rate=1, operations=operations), places) == {"postgres": places["postgres"]}
