"""`pg_stat_statements` on a PostgreSQL of our own, where the installation has it: what its statements cost.

Each statement takes about a microsecond of processor time more.
"""

from collections.abc import Mapping
from pathlib import Path

import psycopg

NAME = "pg_stat_statements"


def settings(program: Path) -> Mapping[str, str]:
    """Settings of the server that switch it on; none if the installation does not have it.

    Args:
        program: the server, as it will be run.
    """
    root = program.resolve().parent.parent
    libraries = (root / "lib" / f"{NAME}.so", root / "lib" / "postgresql" / f"{NAME}.so")
    controls = [*root.glob(f"share/**/{NAME}.control"), *_shared(root)]
    return {"shared_preload_libraries": NAME} if any(map(Path.is_file, libraries)) and controls else {}


def _shared(root: Path) -> list[Path]:
    """Where Debian has what belongs to `/usr/lib/postgresql/15`."""
    path = Path("/usr/share/postgresql") / root.name / "extension" / f"{NAME}.control"
    return [path] if root.is_relative_to("/usr/lib/postgresql") and path.is_file() else []


def create(session: psycopg.Connection) -> None:
    """Make it visible in the database of a superuser's session, if the server was started with it.

    Raises:
        psycopg.Error: the server refuses.
    """
    loaded = session.execute("SHOW shared_preload_libraries").fetchone()
    if loaded is not None and NAME in str(loaded[0]):
        session.execute(f"CREATE EXTENSION IF NOT EXISTS {NAME}")
