"""Collectors beside a run: readings, gaps, what is kept; and which ones a file asks for."""

import threading

import pytest

from resilience.errors import RecordError
from resilience.model import KubernetesMetrics, Metrics, Observing, Place, PrometheusServer, Query, Taken
from resilience.model.resources import Gap, Reading, Unit
from resilience.observe.resources import Collectors, watchers_of
from resilience.observe.watcher import Partly
from resilience.record.redact import Redactor
from resilience.record.resources import ResourcesWriter, read_resources

NS = 1_000_000_000


class Clock:
    """The run's clock: each look at it is a quarter of a second later."""

    def __init__(self):
        self.now_ns = 0

    def __call__(self):
        """Nanoseconds since the run began."""
        self.now_ns += NS // 4
        return self.now_ns


class Scripted:
    """A watcher that gives what it is told, one after the other, and says when it has none left."""

    collector, of = "scripted", "thing"

    def __init__(self, *answers, kept=None):
        self.answers, self.kept, self.done = list(answers), kept or {}, threading.Event()
        self.closed = 0

    def read(self):
        """The next answer."""
        if not self.answers:
            self.done.set()
            return []
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [Reading("a", "thing", Unit.COUNT, answer)]

    def close(self):
        """What is kept."""
        self.closed += 1
        return self.kept


def run(watcher, folder, **more):
    """Read until the watcher has nothing left; what stands in the record then."""
    collectors = Collectors([watcher], folder, Clock(), Redactor(["correct-horse"]), period_s=0.01, **more)
    collectors.start()
    assert watcher.done.wait(60)
    collectors.stop()
    collectors.stop()
    return read_resources(folder)


def test_readings_stand_in_the_record_on_the_runs_clock(tmp_path):
    """At an instant between asking and the answer."""
    watcher = Scripted(1.0, 2.0, 3.0)
    found = run(watcher, tmp_path)
    series = found.get("a", "thing")
    assert series.value.tolist() == [1.0, 2.0, 3.0]
    assert series.at_s[0] == 0.375  # asked at a quarter, answered at a half
    assert found.problems == ()
    assert watcher.closed == 1


def test_what_cannot_be_read_is_a_gap_with_its_reason(tmp_path):
    """One for the whole stretch, without secrets; reading goes on."""
    why = OSError("no route to correct-horse")
    found = run(Scripted(1.0, why, why, 2.0), tmp_path)
    gaps = [gap for gap in found.gaps if "route" in gap.why]
    assert [(gap.collector, gap.of, gap.why) for gap in gaps] == [
        ("scripted", "thing", "OSError: no route to [secret]")
    ]
    assert gaps[0].start_s < gaps[0].end_s
    assert found.get("a", "thing").value.tolist() == [1.0, 2.0]


def test_what_is_missing_of_an_answer_is_a_gap_and_the_rest_is_kept(tmp_path):
    """A metric that is not there takes nothing from the others."""
    found = run(Scripted(Partly("no b", [Reading("a", "thing", Unit.COUNT, 7.0)])), tmp_path)
    assert found.get("a", "thing").value.tolist() == [7.0]
    assert found.gaps[0].why == "no b"


def test_a_gap_that_lasts_to_the_end_is_closed_there(tmp_path):
    """It does not stay open."""

    class Failing(Scripted):
        def read(self):
            """Never."""
            self.done.set()
            raise ValueError("never")

    found = run(Failing(), tmp_path)
    assert [(gap.why, gap.end_s > gap.start_s) for gap in found.gaps] == [("ValueError: never", True)]


def test_a_reading_that_comes_late_leaves_a_gap(tmp_path):
    """Each reading of this clock takes a quarter of a second, and one is asked for every hundredth."""
    found = run(Scripted(1.0, 2.0), tmp_path)
    assert any("the next reading came after" in gap.why for gap in found.gaps)


def test_what_a_collector_keeps_is_a_file(tmp_path):
    """Without secrets."""
    run(Scripted(1.0, kept={"statements": ["correct-horse"]}), tmp_path)
    assert '"[secret]"' in (tmp_path / "resources" / "thing.json").read_text()


def test_what_was_to_be_read_and_cannot_be_is_told(tmp_path):
    """From the beginning to the last reading."""
    found = run(Scripted(1.0), tmp_path, missing=[("metrics", "nobody", "there is no such part")])
    assert Gap("metrics", "nobody", 0.25, found.gaps[0].end_s, "there is no such part") == found.gaps[0]


def test_without_collectors_nothing_is_written(tmp_path):
    """An old record and one without collectors look alike."""
    collectors = Collectors([], tmp_path, Clock(), Redactor())
    collectors.start()
    collectors.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_ends_readings_and_not_the_run(tmp_path, monkeypatch):
    """The record says that it was cut short."""
    tried = threading.Event()

    def full(*_args, **_more):
        tried.set()
        raise RecordError("no space")

    monkeypatch.setattr(ResourcesWriter, "flush", full)
    watcher = Scripted(1.0)
    collectors = Collectors([watcher], tmp_path, Clock(), Redactor(), period_s=0.01)
    collectors.start()
    assert tried.wait(60)
    collectors.stop()
    assert watcher.closed == 1
    assert read_resources(tmp_path).problems == ("resources are not sealed: their writer was cut short",)


PLACES = {
    "postgres": Place(name="postgres", host="h", port=1, via_port=1, dsn="host=h"),
    "redis": Place(name="redis", host="h", port=1, via_port=1),
    "toxiproxy": Place(name="toxiproxy", host="h", port=1, via_port=1, control="http://h"),
    "service": Place(name="service", host="h", port=1, via_port=1, url="http://h", protocol="http"),
}


def names(observing, tmp_path, stack="embedded"):
    watchers, missing = watchers_of(observing, PLACES, stack, tmp_path, {})
    return [(one.collector, one.of) for one in watchers], missing


def test_an_embedded_stack_is_read_by_default_and_another_only_as_declared(tmp_path):
    """What somebody else runs is not asked without being told."""
    ours = [("system", "host"), ("postgres", "postgres"), ("redis", "redis"), ("toxiproxy", "toxiproxy")]
    assert names(Observing(), tmp_path)[0] == ours
    assert names(Observing(), tmp_path, "external")[0] == []
    assert names(Observing(collect=("redis",)), tmp_path, "external")[0] == [("redis", "redis")]
    assert names(Observing(collect=()), tmp_path)[0] == []


def test_what_a_file_names_besides(tmp_path):
    """Parts, addresses, servers, clusters; a part that speaks no HTTP is told."""
    take = (Taken(name="a", metric="a"),)
    observing = Observing(
        collect=(),
        metrics=(
            Metrics(part="service", take=take),
            Metrics(url="http://x", take=take),
            Metrics(part="redis", take=take),
        ),
        prometheus=(PrometheusServer(url="http://p:9090", queries=(Query(name="q", query="up"),)),),
        kubernetes=(KubernetesMetrics(namespace="shop"),),
    )
    found, missing = names(observing, tmp_path)
    assert found == [
        ("metrics", "service"),
        ("metrics", "http://x"),
        ("prometheus", "p:9090"),
        ("kubernetes", "shop"),
    ]
    assert missing == [("metrics", "redis", "the stack has no part 'redis' that speaks HTTP")]


@pytest.mark.parametrize("period_s", [0.1, 1.0, 2.5])
def test_readings_are_asked_for_at_whole_periods(period_s):
    """Of the run's clock, so that all collectors are asked at once."""
    from resilience.observe.resources import _until_next  # noqa: PLC0415 - the one test of it

    for now_s in (0.0, 0.05, 1.0, 7.77):
        wait_s = _until_next(now_s, period_s)
        assert 0 < wait_s <= period_s + 1e-9
        assert (now_s + wait_s) / period_s == pytest.approx(round((now_s + wait_s) / period_s))
