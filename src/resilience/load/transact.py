"""What one script does on one connection, step by step, and what it means wherever it ends.

What may have happened follows from what was sent, never from how it ended:

* before anything that could take effect by itself was sent, certainly nothing did: while preparing, and in a
  transaction until COMMIT is sent, because the server rolls back what is not committed;
* after that, an ERROR that the server answers says that everything is undone, except where it says that it does not
  know (`libpq.UNSURE`), or where the statement may have committed by itself before (CALL, DO, VACUUM);
* everything else is uncertain: FATAL (`57P01`), a connection that is lost, a time limit. Only the server's word that it
  is ready again, with no error before it, proves a commit: the answer to the statement comes before the commit.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeAlias

from resilience.load.classify import Broken, Happened, Refused, StoreAnswer
from resilience.load.libpq import PgTable, ServerError
from resilience.load.sql import Script, Statement, document_of, entry_of

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

Steps: TypeAlias = "Generator[None, PGresult, Happened]"
"""Sends something and yields; is sent the answer, or has the `ServerError` that it was raised in it."""


class Call:
    """One script on one connection, and how far it got.

    Args:
        pg: the connection.
        prepared: names of the statements that it has prepared; added to.
        script: what to do.

    Attributes:
        committing: something was sent that takes effect by itself: COMMIT, or a statement outside a transaction.
        refused: why it will not be committed, once that is decided.
    """

    __slots__ = ("_pg", "_prepared", "_script", "committing", "refused")

    def __init__(self, pg: "PGconn", prepared: set[bytes], script: Script) -> None:
        self._pg = pg
        self._prepared = prepared
        self._script = script
        self.committing = False
        self.refused = ""

    def steps(self) -> Steps:
        """Carry it out."""
        script, pg = self._script, self._pg
        try:
            for statement in script.statements:
                if statement.name not in self._prepared:
                    pg.send_prepare(statement.name, statement.text)
                    yield
                    self._prepared.add(statement.name)
            if script.begin:
                return (yield from self._transaction())
            return (yield from self._alone(script.statements[0]))
        except ServerError as error:
            return self._answered(error, certain=True)

    def ended(self, reason: str) -> Happened:
        """What it means that it came to no end of its own."""
        if self.refused:
            return Refused(self.refused)
        return Broken(reason) if self.committing else Refused(f"{reason}, before commit")

    def _alone(self, statement: Statement) -> Steps:
        values = self._script.values
        self.committing = True
        self._pg.send_query_prepared(statement.name, statement.bound(values))
        try:
            table = PgTable((yield))
        except ServerError as error:
            return self._answered(error, certain=statement.certain)
        return self._answer(table, statement.unmet(table, values))

    def _transaction(self) -> Steps:
        pg, script = self._pg, self._script
        pg.send_query(script.begin)
        yield
        table = None
        for statement in script.statements:
            pg.send_query_prepared(statement.name, statement.bound(script.values))
            try:
                table = PgTable((yield))
            except ServerError as error:
                self.refused = str(error)
            else:
                self.refused = statement.unmet(table, script.values)
            if self.refused:
                # Whether that is answered changes nothing: what is not committed is undone.
                pg.send_query(b"ROLLBACK")
                yield
                return Refused(self.refused)
        self.committing = True
        pg.send_query(b"COMMIT")
        if (yield).command_status != b"COMMIT":
            return Refused("not committed: the transaction had failed")
        assert table is not None  # noqa: S101 - there is a statement
        return self._answer(table, "")

    def _answer(self, table: PgTable, fault: str) -> StoreAnswer:
        entry = entry_of(table) if self._script.seeks else None
        return StoreAnswer(fault, entry, lambda: document_of(table))

    def _answered(self, error: ServerError, *, certain: bool) -> Happened:
        if self.refused or not self.committing or (certain and error.undone):
            return Refused(self.refused or str(error))
        return Broken(str(error))
