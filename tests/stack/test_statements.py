"""`pg_stat_statements`, where an installation has it."""

from resilience.stack.statements import NAME, settings


def installed(root, *, library=True, control=True):
    (root / "bin").mkdir()
    (root / "bin" / "postgres").touch()
    if library:
        (root / "lib").mkdir()
        (root / "lib" / f"{NAME}.so").touch()
    if control:
        (root / "share" / "extension").mkdir(parents=True)
        (root / "share" / "extension" / f"{NAME}.control").touch()
    return root / "bin" / "postgres"


def test_it_is_switched_on_where_it_is_there(tmp_path):
    """Its library and what describes it."""
    assert settings(installed(tmp_path)) == {"shared_preload_libraries": NAME}


def test_without_one_of_both_the_server_is_started_as_ever(tmp_path):
    """A server does not start with a library that is not there."""
    for number, parts in enumerate(({"library": False}, {"control": False})):
        root = tmp_path / str(number)
        root.mkdir()
        assert settings(installed(root, **parts)) == {}
