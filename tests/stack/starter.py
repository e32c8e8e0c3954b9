"""Starts a stack and waits to be killed: `python starter.py TAG ROOT`."""

import signal
import sys
from pathlib import Path

from resilience.model import Service
from resilience.stack.embedded import EmbeddedStack

here = Path(__file__).parent
tag, root = sys.argv[1:]
service = Service(command=("python", str(here / "plain_service.py")))
stack = EmbeddedStack(service, tag=tag, experiment_folder=here, folder_root=Path(root))
stack.start()
print("up", sorted(stack.places()), flush=True)  # noqa: T201 - for whoever reads the log
if "stop" in root:
    stack.stop()
else:
    signal.pause()
