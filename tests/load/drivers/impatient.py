"""The process that runs scripts, with a program that is given half a second to end, and users two to answer."""

from resilience.load.scripts import process
from resilience.load.scripts.programs import K6

if __name__ == "__main__":
    process.PATIENCE_S = 2.0
    K6.end_s = 0.5
    process.main()
