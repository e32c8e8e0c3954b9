"""Whether tenants are kept apart: no answer to one of them held what belongs to another.

It is judged if an operation says where in its answers the tenant stands (`sql.tenant`, `redis.tenant`). One foreign row
in any answer of the whole run fails it, whatever the objectives allow: such an answer is no error among many. What was
not looked at proves nothing: with no good answer, or those of one tenant alone, it is unknown.
"""

import numpy as np

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.quantiles import NS, OK
from resilience.model import WRONG_TENANT, Answer, Json, Load, Operation, Part

_SHOWN = 5
_FEWEST = 2


def says_whose(operation: Operation) -> bool:
    """Whether an operation says where in its answers the tenant stands."""
    sql, redis = operation.sql, operation.redis
    if sql is not None and (sql.tenant or any(one.tenant for one in sql.statements)):
        return True
    return redis is not None and bool(redis.tenant)


def is_asked(load: Load) -> bool:
    """Whether there is anything to judge."""
    return any(says_whose(operation) for operation in load.operations)


def check_isolation(case: Case) -> Part:
    """Look at every answer of the operations that say where the tenant stands."""
    samples, operations = case.record.samples, case.record.experiment.load.operations
    looked = [operation.name for operation in operations if says_whose(operation)]
    places = [place for place, name in enumerate(samples.operations) if name in looked]
    of_them = samples.where(np.isin(samples.operation, places))
    kinds = [place for place, text in enumerate(samples.details) if text.partition(":")[0] == WRONG_TENANT]
    wrong = np.isin(of_them.detail, kinds)
    answered = wrong | (of_them.outcome == OK)
    tenants = _tenants(of_them.where(answered))
    count, foreign = int(answered.sum()), int(wrong.sum())
    data: dict[str, Json] = {"operations": list(looked), "tenants": tenants, "answers": count, "foreign": foreign}
    held = {"isolation": data}
    if foreign:
        because = f"{foreign:,} of {count:,} answers held what belongs to another tenant"
        return Part("isolation", Answer.FAIL, because, _shown(of_them.where(wrong)), held)
    if not count:
        return Part("isolation", Answer.UNKNOWN, f"no good answer of {', '.join(looked)} to look at", (), held)
    if tenants < _FEWEST:
        because = f"{count:,} answers, all to one tenant: there was no other whose rows they could have held"
        return Part("isolation", Answer.UNKNOWN, because, (), held)
    because = f"none of {count:,} answers to {tenants} tenants held what belongs to another"
    return Part("isolation", Answer.PASS, because, (), held)


def _tenants(samples: Samples) -> int:
    """How many tenants were answered."""
    if samples.tenant is None or not len(samples):
        return 0
    return int(np.unique(samples.tenant[samples.tenant >= 0]).size)


def _shown(samples: Samples) -> tuple[Json, ...]:
    """The first of them, in order of time."""
    first = np.argsort(samples.end_ns, kind="stable")[:_SHOWN]
    return tuple(
        f"{samples.operations[samples.operation[place]]} at {samples.end_ns[place] / NS:.3f} s: "
        f"{samples.details[samples.detail[place]]}"
        for place in first
    )
