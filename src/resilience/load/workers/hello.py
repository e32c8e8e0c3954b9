"""Who may join a run, and whose orders a worker follows: both show that they know the run's token, without saying it.

1. worker → master: a random text of its own
2. master → worker: a random text of its own, and its proof: HMAC-SHA-256 of "master" and both texts under the token
3. worker → master: its proof: the same of "worker"

Proofs are of this exchange only (both texts are new each time) and of one side only, so none can be used again. What
comes after is neither encrypted nor signed: whoever can change packets on the way can change orders and records.
"""

import hmac
import secrets


def text() -> str:
    """A random text that nobody has used before."""
    return secrets.token_hex(16)


def proof(token: str, side: str, workers_text: str, masters_text: str) -> str:
    """What only who knows the token can say; `side` is `master` or `worker`."""
    message = f"{side}\n{workers_text}\n{masters_text}"
    return hmac.new(token.encode(), message.encode(), "sha256").hexdigest()


def proven(told: object, token: str, side: str, workers_text: str, masters_text: str) -> bool:
    """Whether what was told is that side's proof."""
    wanted = proof(token, side, workers_text, masters_text)
    return isinstance(told, str) and hmac.compare_digest(told.encode(), wanted.encode())
