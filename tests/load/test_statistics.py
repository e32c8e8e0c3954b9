"""Locust's statistics, fed many at once. In an interpreter of its own: importing Locust replaces sockets and more."""

import json
import subprocess
import sys

PROGRAM = """
import json, random
from locust.env import Environment
from resilience.load.classify import Finding
from resilience.load.statistics import Statistics, heard
from resilience.load.users import reporter
from resilience.model import OUTCOMES, Operation, Outcome

def shown(environment):
    stats = environment.stats
    return [
        [[e.name, e.method, e.num_requests, e.num_failures, e.num_none_requests, e.total_content_length,
          round(e.total_response_time, 3), e.min_response_time, e.max_response_time,
          sum(e.num_reqs_per_sec.values()), sum(e.num_fail_per_sec.values()), sorted(e.response_times.items())]
         for e in (stats.total, *sorted(stats.entries.values(), key=lambda e: e.name))],
        sorted([e.method, e.name, str(e.error), e.occurrences] for e in stats.errors.values()),
    ]

operations = [Operation(name=name, weight=1.0, method=way, path="/") for name, way in (("a", "GET"), ("b", "PUT"))]
draw = random.Random(1)
rows = []
for _ in range(500):
    outcome = draw.choice([*OUTCOMES, Outcome.OK, Outcome.OK])
    dropped = outcome is Outcome.DROPPED
    detail = "" if outcome is Outcome.OK else draw.choice(["timeout: 2 s", "status 500", "timeout: 3 s"])
    response_ns = 0 if dropped else draw.choice([draw.randrange(10**6, 10**8), draw.randrange(10**8, 10**11)])
    rows.append((draw.randrange(2), OUTCOMES.index(outcome), response_ns, False, draw.randrange(9), detail))

each, together = Environment(), Environment()
each.create_local_runner(), together.create_local_runner()
report = reporter(each, "http://target")
for number, place, response_ns, _, length, detail in rows:
    outcome = OUTCOMES[place]
    time_ns = None if outcome is Outcome.DROPPED else response_ns
    report(operations[number], Finding(outcome, detail=detail), time_ns, time_ns, length)
statistics = Statistics(together, operations)
statistics.add([])
statistics.add(rows[:100])
statistics.add(rows[100:])
before = heard(together)
together.events.request.add_listener(lambda **_: None)
print(json.dumps([shown(each), shown(together), before, heard(together)]))
"""


def test_many_at_once_are_what_each_alone_would_have_been():
    """Counts, times, sizes and errors are those of an event fired for each; times may be rounded to a neighbour."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    (each, each_errors), (together, together_errors), before, after = json.loads(done.stdout)
    assert (before, after) == (False, True)  # Locust's own listener does not count
    assert each_errors == together_errors
    assert [row[:-1] for row in each] == [row[:-1] for row in together]
    assert each[0][2] == 500
    for (*_, apart), (*_, at_once) in zip(each, together, strict=True):
        assert sum(count for _, count in apart) == sum(count for _, count in at_once)
        pairs = zip(spread(apart), spread(at_once), strict=True)
        assert all(abs(one - other) <= max(1, 0.1 * one) for one, other in pairs)


def spread(histogram: list[list[int]]) -> list[int]:
    """Every single time, in order."""
    return [time for time, count in histogram for _ in range(count)]
