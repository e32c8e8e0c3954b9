"""What a store said of itself, and what follows for the truth that was read from it.

Facts are texts by name, as PostgreSQL and Redis have them, or as an HTTP endpoint tells them:

* a store in recovery, or with a role other than master, is a replica: what it lacks may be elsewhere;
* another `system_identifier` than before the run is another database: what was written was not written there;
* another `run_id` than before the run is a Redis that was started again, which only a fault of ours on it explains;
* `fsync`, `synchronous_commit` or `aof_enabled` off, an append-only file that cannot be written, and a policy under
  which any key may be evicted are promises not given: a clean result is luck, and a killed process does not show it.
"""

from resilience.columns import Truth
from resilience.judge.case import Case
from resilience.judge.effects.findings import Broken
from resilience.model import Truth as Declared

_YES = {"on", "true", "t", "yes", "1"}
_NO = {"off", "false", "f", "no", "0"}
_PROMISES = ("fsync", "synchronous_commit", "aof_enabled")
_WAYS = {"http": "an HTTP endpoint", "function": "a function"}


def unfit(truth: Truth) -> list[str]:
    """Why what was read is no truth about this run at all."""
    found = []
    if any("recovery" in name.lower() and value.strip().lower() in _YES for name, value in truth.facts.items()):
        found.append("the truth was read from a store in recovery (a replica), not from the primary")
    role = _facts(truth).get("role", "master")
    if role not in {"master", "primary"}:
        found.append(f"the truth was read from a store with the role {role}, not from the primary")
    before, after = truth.before.get("system_identifier"), truth.facts.get("system_identifier")
    if before is not None and before != after:
        found.append(f"the truth was read from another database (system identifier {after}) than before ({before})")
    return found


def unpromised(case: Case, declared: Declared, truth: Truth) -> list[str]:
    """Why a clean result from this store would prove too little."""
    facts, found = _facts(truth), []
    before, after = truth.before.get("run_id"), truth.facts.get("run_id")
    struck = declared.part and any(fault.on == declared.part for fault in case.record.experiment.faults)
    if before is not None and before != after and not struck:
        found.append("the store was started again during the run, and no fault of the experiment was on it")
    if facts.get("volatile") == "declared":
        return found
    off = [f"{name} = {facts[name]}" for name in _PROMISES if facts.get(name) in _NO]
    if facts.get("aof_enabled") in _YES and facts.get("aof_last_write_status", "ok") != "ok":
        off.append(f"aof_last_write_status = {facts['aof_last_write_status']}")
    if facts.get("maxmemory_policy", "").startswith("allkeys"):
        off.append(f"maxmemory_policy = {facts['maxmemory_policy']}")
    if off:
        found.append(f"the store does not promise durability ({', '.join(off)}), and a killed process does not show it")
    if facts.get("index") == "none":
        found.append("the query of the truth uses no index, so none was checked against the table")
    return found


def broken(truth: Truth) -> list[Broken]:
    """What the store itself breaks: an index that does not give what the table holds loses it to users."""
    if _facts(truth).get("index_agrees") != "false":
        return []
    rows = f"{truth.facts.get('index_rows')} rows of {truth.facts.get('table_rows')} in the table"
    index = truth.facts.get("index")
    return [Broken("index", f"the index {index} does not agree with its table: by way of it there are {rows}")]


def told(truth: Truth) -> list[str]:
    """Evidence: the facts, what came late, and what a crash may take all the same."""
    found = [f"{name} = {value}" for name, value in sorted(truth.facts.items())]
    facts = _facts(truth)
    if facts.get("volatile") == "declared":
        found.append("the store is declared to keep nothing when it ends: a pass is about faults of others")
    elif facts.get("appendfsync", "always") != "always":
        lost = "about the last second" if facts["appendfsync"] == "everysec" else "whatever the kernel had not written"
        found.append(f"a crash of the operating system may lose {lost} (appendfsync = {facts['appendfsync']})")
    if (way := facts.get("store")) in _WAYS and not set(_PROMISES) & set(facts):
        found.append(f"what the store promises is not known: it was read by way of {_WAYS[way]}")
    if truth.before.get("timeline") != truth.facts.get("timeline") and truth.before:
        found.append(f"the timeline of the store was {truth.before.get('timeline')} before the run: another took over")
    if facts.get("removed_entries", "0") != "0":
        found.append(
            f"{facts['removed_entries']} entries were removed from the stream: trimmed or deleted, they are lost"
        )
    if truth.late:
        more = f" and {truth.late - len(truth.late_named):,} more" if truth.late > len(truth.late_named) else ""
        found.append(f"came after the store had settled: {', '.join(truth.late_named)}{more}; settle is too short")
    elif truth.again_ns:
        later_s = (truth.again_ns - truth.read_ns) / 1e9
        found.append(f"nothing came late: the store was the same {later_s:.1f} s after it was read")
    return found


def _facts(truth: Truth) -> dict[str, str]:
    return {name.lower(): value.strip().lower() for name, value in truth.facts.items()}
