"""What a write can do, one module for each kind of effect: from what was sent and what is there to what came of it."""

from collections.abc import Callable, Mapping

from resilience.columns import Truth
from resilience.judge.effects.append import judge_append
from resilience.judge.effects.counter import judge_counter
from resilience.judge.effects.document import judge_document
from resilience.judge.effects.findings import Findings
from resilience.judge.effects.messages import judge_messages
from resilience.judge.effects.sent import Sent
from resilience.judge.effects.transfer import judge_transfer
from resilience.judge.effects.units import judge_units
from resilience.model import Account, Effect

EFFECTS: Mapping[Effect, Callable[[Sent, Truth, Account], Findings]] = {
    Effect.INSERT: judge_units,
    Effect.QUEUE: judge_messages,
    Effect.STREAM: judge_messages,
    Effect.APPEND: judge_append,
    Effect.DOCUMENT: judge_document,
    Effect.COUNTER: judge_counter,
    Effect.TRANSFER: judge_transfer,
}
