"""Rows to ask for: `python -m resilience.load.rows fill|remove`, a table of ours in a PostgreSQL, of any size.

    TABLE resilience_rows (id bigint PRIMARY KEY, parent bigint, tenant text, amount int, body text, run text)

Row i has parent i // 10, so that row k has the ten children 10 k to 10 k + 9 (of row 0, itself is one), and the tenant
i modulo the number of tenants; amount (0 to 999) and body (32 hexadecimal digits) follow from the seed. Every row has
the id of whoever wrote it in `run`. There are indices on parent and on (tenant, id).

It is copied in blocks, so memory does not grow with the rows, and in one transaction: it is there as a whole or not at
all. A comment on the table says whose it is and what is in it. What is there already, as it was asked for, stays; a
table without our comment is never touched. `remove` drops it.

As a program of an embedded stack, with `--serve`, it answers on `PORT` once the rows are there, and so has them there
before the service and the load begin.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import psycopg
from psycopg import sql

from resilience.errors import EnvironmentNotReady
from resilience.model import Json, Problem

TABLE = "resilience_rows"
CHILDREN = 10
BLOCK = 10_000
"""Rows that are made and sent at once."""

_OURS = "resilience rows "
_STREAM = 7
_MOST = 1_000_000_000
_COLUMNS = "id bigint, parent bigint NOT NULL, tenant text NOT NULL, amount int NOT NULL, body text NOT NULL, run text"
_INDICES = ("ADD PRIMARY KEY (id)", "(parent)", "(tenant, id)")


def blocks(rows: int, seed: int, tenants: Sequence[str], run: str) -> Iterator[bytes]:
    """The rows as COPY wants them, a block at a time. The same arguments give the same bytes."""
    names = [tenant.translate(_ESCAPED) for tenant in tenants]
    whose = run.translate(_ESCAPED)
    for first in range(0, rows, BLOCK):
        count = min(BLOCK, rows - first)
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM, first])))
        amounts = generator.integers(0, 1000, count).tolist()
        bodies = generator.bytes(16 * count).hex()
        yield "".join(
            [
                f"{i}\t{i // CHILDREN}\t{names[i % len(names)]}\t{amount}\t{bodies[at : at + 32]}\t{whose}\n"
                for i, at, amount in zip(range(first, first + count), range(0, 32 * count, 32), amounts, strict=True)
            ]
        ).encode()


_ESCAPED = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}


def fill(
    connection: "psycopg.Connection", rows: int, *, seed: int = 1, tenants: Sequence[str] = ("all",), run: str = ""
) -> bool:
    """See to it that the table is there with these rows.

    Args:
        connection: to PostgreSQL, with autocommit.
        rows: how many.
        seed: of amounts and bodies.
        tenants: whose they are, in turn.
        run: who writes them.

    Returns:
        Whether they were written; False if they were there.

    Raises:
        EnvironmentNotReady: there is a table of that name that is not ours.
    """
    wanted: dict[str, Json] = {"rows": rows, "seed": seed, "tenants": list(tenants)}
    with connection.transaction():
        found = _mine(connection)
        if found is not None:
            if all(found.get(key) == value for key, value in wanted.items()):
                return False
            connection.execute(f"DROP TABLE {TABLE}")
        connection.execute(f"CREATE TABLE {TABLE} ({_COLUMNS})")
        with connection.cursor().copy(f"COPY {TABLE} FROM STDIN") as copy:
            for block in blocks(rows, seed, tenants, run):
                copy.write(block)
        key, *others = _INDICES
        connection.execute(f"ALTER TABLE {TABLE} {key}")
        for columns in others:
            connection.execute(f"CREATE INDEX ON {TABLE} {columns}")
        note = sql.Literal(_OURS + json.dumps({**wanted, "run": run}))
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(sql.Identifier(TABLE), note))
    connection.execute(f"VACUUM ANALYZE {TABLE}")
    return True


def remove(connection: "psycopg.Connection") -> bool:
    """Drop the table; False if there is none.

    Raises:
        EnvironmentNotReady: it is not ours.
    """
    with connection.transaction():
        if _mine(connection) is None:
            return False
        connection.execute(f"DROP TABLE {TABLE}")
    return True


def _mine(connection: "psycopg.Connection") -> Mapping[str, Json] | None:
    """What our comment on the table says; None if there is no table. Nobody else fills or removes meanwhile."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (TABLE,))
    query = "SELECT to_regclass(%(name)s) IS NOT NULL, obj_description(to_regclass(%(name)s), 'pg_class')"
    there, comment = connection.execute(query, {"name": TABLE}).fetchone() or (False, None)
    if not there:
        return None
    if not str(comment or "").startswith(_OURS):
        hint = "rename it, or use another database"
        raise EnvironmentNotReady(Problem(TABLE, "there is a table of that name that we did not make", hint))
    found: Mapping[str, Json] = json.loads(str(comment).removeprefix(_OURS))
    return found


class _Ready(BaseHTTPRequestHandler):
    """Answers that the rows are there."""

    def do_GET(self) -> None:
        """200, whatever is asked."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Fill or remove; 0, or 4 if that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m resilience.load.rows", description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=("fill", "remove"))
    parser.add_argument("--rows", type=int, default=100_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of what is in them")
    parser.add_argument("--tenants", default="all", help="whose they are, in turn: a,b,c")
    parser.add_argument("--run", default="", help="who writes them")
    parser.add_argument("--dsn-env", default="DATABASE_URL", help="environment variable with the connection string")
    parser.add_argument("--serve", action="store_true", help="answer on PORT once they are there, until ended")
    told = parser.parse_args()
    dsn = os.environ.get(told.dsn_env, "")
    if not dsn or not 0 < told.rows <= _MOST:
        parser.error(f"{told.dsn_env} is not set" if not dsn else f"--rows {told.rows} is not from 1 to {_MOST:,}")
    try:
        with psycopg.connect(dsn, autocommit=True, application_name="resilience rows") as connection:
            if told.do == "remove":
                said = "removed" if remove(connection) else "there was none"
            else:
                done = fill(connection, told.rows, seed=told.seed, tenants=told.tenants.split(","), run=told.run)
                said = f"{told.rows:,} rows {'written' if done else 'were there'}"
    except (EnvironmentNotReady, psycopg.Error) as error:
        sys.stderr.write(f"{TABLE}: {' '.join(str(error).split())}\n")
        return 4
    sys.stdout.write(f"{TABLE}: {said}\n")
    sys.stdout.flush()
    if told.serve:
        HTTPServer(("127.0.0.1", int(os.environ["PORT"])), _Ready).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
