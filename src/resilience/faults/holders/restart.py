"""Stops a part of the stack and starts it again, also if nobody is left to wait for it."""

from resilience.faults import holder, process_stop

if __name__ == "__main__":
    holder.main(process_stop.restart)
