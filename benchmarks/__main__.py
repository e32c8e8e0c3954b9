"""`python -m benchmarks NAME [--json]`, `python -m benchmarks --list`."""

import argparse
import importlib
import json
import sys

from benchmarks import Options

NAMES = {
    "bottleneck": "how often a bottleneck planted in the reference target is named first: seven places, real runs",
    "judge": "reading and judging a record of 10 million samples: time and memory",
    "report": "reports of a record of 10 million samples in every format: time, size, memory of an export",
    "regression": "how often identical runs are told apart, and an operation that is 20 % slower is found",
    "residue": "how often failures that remain are told where there are none, and found where there are",
    "mttr": "how exact a measured time to recover is: hard, partial and slow outages of known length",
    "breaker": "how exact the times of a circuit breaker are that stays open for exactly seven seconds, on a real run",
    "drivers": "the same fault seen by our engine and by a script of k6: how far apart their recoveries are",
    "experiments": "every shipped experiment on the healthy target: each must pass",
    "ledger": "ten million writes in PostgreSQL with errors planted anywhere: all found, none else, how soon",
    "collectors": "processor time of all collectors of resources at one reading a second, on the running target",
    "lease": "processor time of lease, guard and reaper while a fault is held, beside a run without",
    "record": "what it costs to write a run down: a write's two entries, and samples at 50 000 a second",
    "faults": "how soon a fault takes effect after inject, and ends after revert, at 500 operations a second",
    "reap": "the runner killed at 200 random moments over all kinds of fault: how soon the target is as found",
    "reap_runs": "whole experiments killed at random moments: how soon every fault and every process is gone",
    "websocket": "a thousand subscribers given 10 000 messages a second: delay, loss, order, processor time beside k6",
    "wire": "what a proxy in the way costs: direct, toxiproxy-server, our own without and with rules",
    "load_http": "what an HTTP operation costs the generator: ours, recorded whole, beside k6, Locust's users and wrk",
    "load_open": "an open load of 10 000 and 20 000 a second: reached, start lag, latency beside the computed truth",
    "load_workers": "a load from two processes at 10 000 and 20 000 a second: reached, start lag, cost beside one",
    "load_users": "a hundred thousand users at once, connected, thinking: memory of each, beside k6 and FastHttpUser",
    "postgres": "10 000 reads and 1000 inserts a second on PostgreSQL at once: rates, processor time beside pgbench",
    "soak": "memory of every process of a long run at 1000 operations a second: megabytes an hour",
    "target": "operations a second that the reference target serves on one core, beside a bare route of Starlette",
    "search": "the break-point of the reference target by search, beside a fine sweep",
    "startup": "how long the programs take before they do anything",
}


def main() -> int:
    """Run one benchmark; 0 if its goals were met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(NAMES))
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--json", action="store_true", help="last line: one JSON object")
    parser.add_argument("--count", type=int, help="how many repetitions")
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--parallel", type=int, default=1, help="how many at once")
    arguments = parser.parse_args()
    if arguments.list or arguments.name is None:
        for name, what in sorted(NAMES.items()):
            print(f"{name:10} {what}")
        return 0 if arguments.list else 2

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    module = importlib.import_module(f"benchmarks.{arguments.name}")
    result = module.measure(Options(count=arguments.count, seed=arguments.seed, parallel=arguments.parallel, say=say))
    for name, value in result.figures.items():
        say(f"{name:32} {value!s:>14}   {result.goal.get(name, '')}")
    say("met" if result.met else "NOT MET")
    if arguments.json:
        document = {
            "name": arguments.name,
            "figures": dict(result.figures),
            "goal": dict(result.goal),
            "met": result.met,
        }
        print(json.dumps(document))
    return 0 if result.met else 1


if __name__ == "__main__":
    sys.exit(main())
