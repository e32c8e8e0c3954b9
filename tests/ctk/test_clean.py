"""`resilience clean`: what a run wrote is removed, nothing else is; that it is gone is looked at. Requirement L4."""

import json
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import ClassVar

import pytest
import yaml
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk.clean import clean
from resilience.ctk.run import load_file, plan_for
from resilience.entry import body_of, format_id
from resilience.errors import EnvironmentNotReady, RecordError, SpecError
from resilience.host.files import state_folder
from resilience.observe.removal import HttpRemover, PostgresRemover
from resilience.record.documents import save_experiment, save_plan
from resilience.runtime.debts import DebtBook
from tests.observe.conftest import postgres, redis_server  # noqa: F401 - fixtures
from tests.program import own_block, short
from tests.spec.changing import changed, problems

pytestmark = pytest.mark.stack

RUN, OTHER = "0badcafe", "0badcaff"
DELETE = "DELETE FROM orders WHERE id LIKE %(prefix)s || '%%'"
ANY = "DELETE FROM orders WHERE id"
CLEAN = [{"query": DELETE}, {"dsn_env": "TEST_REDIS", "keys": "order:{prefix}*"}]


@pytest.fixture
def stores(postgres, redis_server, monkeypatch):  # noqa: F811 - the fixtures imported above
    """Orders of two runs in PostgreSQL and in Redis; addresses in the environment."""
    monkeypatch.setenv("TEST_DSN", f"{postgres.dsn} password={postgres.password}")
    monkeypatch.setenv("TEST_REDIS", f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/0")
    with postgres.connect() as connection, closing(redis_server.connect()) as client:
        client.flushall()
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute("CREATE TABLE orders (id text, body text, position bigserial)")
        for run in (RUN, OTHER):
            for seq in range(30):
                name = format_id(run, 0, 0, seq)
                connection.execute("INSERT INTO orders (id, body) VALUES (%s, %s)", (name, body_of(name)))
                client.set(f"order:{name}", "x")
        client.set("item:1", "x")
        yield lambda: (
            connection.execute("SELECT count(*) FROM orders WHERE id LIKE %s", (f"{RUN}-%",)).fetchone()[0],
            connection.execute("SELECT count(*) FROM orders").fetchone()[0],
            client.dbsize(),
        )


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Makes the record of a run that declares these removals."""
    monkeypatch.setenv("RESILIENCE_STATE", str(tmp_path / "state"))

    def make(removals=CLEAN, run=RUN, header=RUN, target="shop", truth=None):
        document = short("redis-down")
        own = own_block(document)
        own["target"] = target
        query = "SELECT id, body, position FROM orders WHERE id LIKE %(prefix)s || '%%'"
        own["ledger"]["truth"] = truth or {"dsn_env": "TEST_DSN", "query": query, "clean": removals}
        if not removals:
            own["ledger"]["truth"].pop("clean", None)
        file = tmp_path / "experiment.yaml"
        file.write_text(yaml.safe_dump(document))
        experiment = load_file(file)
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        save_experiment(folder, experiment)
        save_plan(folder, replace(plan_for(experiment, 1), run=run))
        line = {"at_s": 0.0, "kind": "header", "name": "", "detail": {"run": header, "format": 1}}
        (folder / "events.jsonl").write_text(json.dumps(line) + "\n")
        return folder

    return make


def test_what_the_run_wrote_is_removed_and_nothing_else(stores, recorded):
    """Thirty rows and thirty keys of this run are gone; those of another run, and other keys, are not."""
    folder = recorded()
    assert stores() == (30, 60, 61)
    report = clean(folder, dry_run=False, consent=())
    assert [(one.found, one.removed) for one in report.places] == [(30, 30), (30, 30)]
    assert (report.left, report.exit_code) == (0, 0)
    assert stores() == (0, 30, 31)
    again = clean(folder, dry_run=False, consent=())
    assert [(one.found, one.removed) for one in again.places] == [(0, 0), (0, 0)]


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("kind", ["stream", "list", "hash"])
def test_entries_of_a_store_are_removed_one_by_one(recorded, redis_server, kind):  # noqa: F811
    """From a stream, a list and a hash that others use too: this run's entries are gone, all of theirs are there."""
    ours, theirs = ([format_id(run, 0, 0, seq) for seq in range(1500)] for run in (RUN, OTHER))
    how = {"stream": {"id": "id", "body": "body"}, "list": {}, "hash": {"body": "body"}}[kind]
    truth = {"dsn_env": "TEST_REDIS", "redis": {"type": kind, "key": "jobs", **how}, "clean": [{"entries": True}]}
    if kind == "hash":
        truth["redis"]["position"] = "position"
    with closing(redis_server.connect()) as client, client.pipeline() as pipe:
        for position, name in enumerate(one for pair in zip(ours, theirs, strict=True) for one in pair):
            body = body_of(name)
            if kind == "stream":
                pipe.xadd("jobs", {"id": name, "body": body})
            elif kind == "list":
                pipe.rpush("jobs", body)
            else:
                pipe.hset("jobs", name, json.dumps({"body": body, "position": position}))
        pipe.execute()
        report = clean(recorded(truth=truth), dry_run=False, consent=())
        assert [(one.found, one.removed) for one in report.places] == [(1500, 1500)]
        assert report.left == 0
        left = {
            "stream": lambda: [fields["id"] for _, fields in client.xrange("jobs")],
            "list": lambda: [body.partition("|")[0] for body in client.lrange("jobs", 0, -1)],
            "hash": lambda: sorted(client.hkeys("jobs")),
        }[kind]()
        assert left == theirs


def test_a_dry_run_shows_what_would_be_removed_and_removes_nothing(stores, recorded):
    """The very numbers, found by asking the stores; secrets are not shown."""
    folder = recorded()
    done = CliRunner().invoke(main, ["clean", str(folder), "--dry-run"])
    assert done.exit_code == 0
    assert done.output.count("30 would be removed") == 2
    assert "correct-horse" not in done.output
    assert stores() == (30, 60, 61)


def test_what_is_left_is_said(stores, recorded):
    """A removal that leaves rows behind ends with 1 and the number: the truth still lists them."""
    folder = recorded([{"query": f"{DELETE} AND position <= 20"}])
    done = CliRunner().invoke(main, ["clean", str(folder), "--json"])
    assert done.exit_code == 1
    document = json.loads(done.output)
    assert document["places"][0]["removed"] == 20
    assert document["left"] == 10
    assert stores() == (10, 40, 61)


@pytest.mark.parametrize(
    "query",
    [f"{DELETE} OR true", "DELETE FROM orders WHERE id > %(prefix)s", "DELETE FROM orders WHERE id < %(prefix)s"],
)
def test_a_removal_of_more_than_the_runs_is_refused(stores, recorded, query):
    """It would remove something for a prefix that is nobody's: nothing is removed, not even of the other places."""
    folder = recorded([CLEAN[1], {"query": query}])
    with pytest.raises(SpecError, match="which no id has"):
        clean(folder, dry_run=False, consent=())
    assert stores() == (30, 60, 61)


@pytest.mark.parametrize(
    ("run", "header"), [("", ""), ("0", "0"), ("%", "%"), (RUN, OTHER), (RUN, None), ("0BADCAFE", "0BADCAFE")]
)
def test_only_a_recorded_runs_id_is_a_prefix(stores, recorded, run, header):
    """Anything else is refused: it could be the beginning of everybody's ids."""
    folder = recorded(run=run, header=header)
    with pytest.raises(SpecError, match="one id was expected"):
        clean(folder, dry_run=False, consent=())
    assert stores() == (30, 60, 61)


def test_refused_before_anything_is_touched(stores, recorded, tmp_path, monkeypatch):
    """No run folder; nothing declared; a store that cannot be had; no consent; exit 3 or 4."""
    runner = CliRunner()
    assert runner.invoke(main, ["clean", str(tmp_path)]).exit_code == 3
    done = runner.invoke(main, ["clean", str(recorded(removals=[]))])
    assert (done.exit_code, "nothing declares" in done.output) == (3, True)
    file = tmp_path / "declared.yaml"
    recorded()
    (tmp_path / "experiment.yaml").rename(file)
    folder = recorded(removals=[])
    assert runner.invoke(main, ["clean", str(folder), "--dry-run", "--declared-in", str(file)]).exit_code == 0
    done = runner.invoke(main, ["clean", str(recorded([{"part": "redis", "keys": "order:{prefix}*"}]))])
    assert (done.exit_code, "the run's stack is not there any more" in done.output) == (4, True)
    folder = recorded(target="shop-prod")
    done = runner.invoke(main, ["clean", str(folder), "--consent", "shop-prod"])
    assert (done.exit_code, "data:shop-prod" in done.output) == (4, True)
    assert stores() == (30, 60, 61)
    monkeypatch.delenv("TEST_REDIS")
    done = runner.invoke(main, ["clean", str(recorded())])
    assert (done.exit_code, "TEST_REDIS is not set" in done.output) == (4, True)
    assert stores() == (30, 60, 61)


class Orders(BaseHTTPRequestHandler):
    """A service that removes orders one by one."""

    asked: ClassVar[list] = []
    status = 204

    def do_DELETE(self):
        """Remove one."""
        self.asked.append((self.path, self.headers["X-Key"]))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def test_by_http_one_by_one():
    """Each id that the truth lists is sent DELETE, with headers; what is no yes, and not gone already, stops it."""

    class Listed:
        def all(self):
            return [f"{RUN}-a b", f"{RUN}-c"]

    with HTTPServer(("127.0.0.1", 0), Orders) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            base = f"http://127.0.0.1:{server.server_port}/shop"
            remover = HttpRemover(base, "/orders/{id}", Listed(), {"X-Key": "k"})
            assert remover.count() == remover.remove() == 2
            assert Orders.asked == [(f"/shop/orders/{RUN}-a%20b", "k"), (f"/shop/orders/{RUN}-c", "k")]
            Orders.status = 404
            assert remover.remove() == 0
            Orders.status = 503
            with pytest.raises(RecordError, match="answered 503"):
                remover.remove()
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_is_gone_is_said():
    """Without a password."""
    remover = PostgresRemover("host=127.0.0.1 port=1 user=x password=canary", "", DELETE, f"{RUN}-")
    with pytest.raises(RecordError) as caught:
        remover.count()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("removal", "told"),
    [
        ({}, "none of query, keys, entries, path"),
        ({"entries": True}, "the truth is not in Redis"),
        ({"entries": True, "keys": "x{prefix}"}, "expected one of them"),
        ({"query": DELETE, "keys": "x{prefix}"}, "expected one of them"),
        ({"query": "DELETE FROM orders"}, "no DELETE that is bound"),
        ({"query": "UPDATE orders SET id = %(prefix)s"}, "no DELETE that is bound"),
        ({"keys": "*"}, "no pattern of this run's keys"),
        ({"keys": "*{prefix}*"}, "no pattern of this run's keys"),
        ({"path": "/orders"}, "has no {id}"),
        ({"query": DELETE, "part": "postgres", "dsn_env": "X"}, "expected one of them at most"),
        ({"query": DELETE, "headers_env": {"X": "Y"}}, "path alone"),
    ],
)
def test_a_removal_that_means_too_much_or_nothing_is_refused_in_the_file(removal, told):
    """With what was expected instead."""
    found = problems(changed({"OWN.ledger.truth.clean": [removal]}))
    assert any(told in f"{one.message} {one.hint}" for one in found), found


def test_a_run_that_lasts_is_left_alone(recorded):
    """Its writes would come back."""
    folder = recorded()
    with DebtBook.create(state_folder(), RUN), pytest.raises(EnvironmentNotReady, match="still lasts"):
        clean(folder, dry_run=True, consent=())
