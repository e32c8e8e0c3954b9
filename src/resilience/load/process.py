"""The load process: `python -m resilience.load.process`, started and ended by `load.drivers.locust`.

On standard input: one line with a `LoadOrder` as JSON, later the word `stop`; before that, of a steered load, lines
`level AT_NS LEVEL`. On standard output, one JSON object
a line:

* `{"type": "idle"}` everything is imported, and the order is waited for
* `{"type": "ready", "ready_ns": …}` everything is made, and the first arrival is still to come
* `{"type": "slice", …}` every 250 ms, the fields of a `model.Slice`
* `{"type": "done", …}` everything is written down and sealed: the generator's account; exit 0
* `{"type": "error", "message": …}` something could not be written down, or the order is wrong; exit 1

When standard input ends without `stop`, whoever started the load is gone: the process ends at once and seals nothing.
SIGTERM does the same, by the kernel's hand.
"""

import json
import os
import sys
import traceback

# Locust comes before whatever opens sockets or starts threads: importing it replaces both, and does it once.
import gevent
from locust.env import Environment

from resilience.codec import decode
from resilience.errors import LoadError, ResilienceError
from resilience.load.carry import Carrier
from resilience.load.engine import Engine
from resilience.load.pipes import Commands, Speaker
from resilience.load.users import ArrivalUser
from resilience.model import Json, LoadOrder
from resilience.record.samples import warm_up

DRAIN_S = 5.0
SWITCH_S = 0.001
"""How long the thread that writes samples may hold up the engine; gevent also looks for input at least so often."""


def carry_out(order: LoadOrder, commands: Commands, speaker: Speaker) -> dict[str, Json]:
    """Send everything, seal everything, and return the account.

    Raises:
        LoadError: it was ready too late; nothing was sent.
        ResilienceError: something could not be written down.
    """
    environment = Environment(user_classes=[ArrivalUser], host=order.base_url)
    carrier = Carrier(order, environment, speaker.say)
    runner = environment.create_local_runner()
    carrier.make_ready()
    runner.start(1, spawn_rate=1)
    gevent.spawn(_listen, commands, carrier.engine)
    account = carrier.run()
    runner.quit()
    return account


def _listen(commands: Commands, engine: Engine) -> None:
    while True:
        match (word := commands.next()).split():
            case ["stop"]:
                engine.stop()
            case ["level", at_ns, level]:
                engine.steer(int(at_ns), float(level))
            case _:
                engine.fail(LoadError(f"{word!r} was read on standard input; stop or a level was expected"))
                return


def main() -> None:
    """Read an order, carry it out, and end."""
    sys.setswitchinterval(SWITCH_S)
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get between the lines of our JSON
    speaker, commands = Speaker(out), Commands(0)
    code = 0
    try:
        warm_up()  # writing samples for the first time would hold everything up for 20 ms
        speaker.say("idle", {})
        order = decode(LoadOrder, json.loads(commands.next()))
        speaker.say("done", carry_out(order, commands, speaker))
    except Exception as error:  # noqa: BLE001 - it is passed on whole
        if not isinstance(error, ResilienceError):
            traceback.print_exc()
        speaker.say("error", {"message": str(error) if isinstance(error, ResilienceError) else repr(error)})
        code = 1
    speaker.drain(DRAIN_S)
    sys.stderr.flush()
    os._exit(code)  # everything is sealed; nothing that ends slowly (threads, greenlets) may keep the caller waiting


if __name__ == "__main__":
    main()
