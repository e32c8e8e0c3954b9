"""How the C library deals with memory that is given back."""

import numpy as np

_KEPT = 4 << 20


def keep_freed() -> None:
    """Let what is freed be used again by this process rather than go back to the kernel each time.

    By default glibc maps every block of 128 kB or more anew, and unmaps it: a step through columns in pieces then takes
    longer to have its pages zeroed than for its arithmetic. Once a block was freed, blocks up to its size come from the
    heap, and as much again may lie idle there (mallopt(3), M_MMAP_THRESHOLD: "dynamic"). The block that is freed here
    is never written to. Elsewhere nothing changes.
    """
    np.empty(_KEPT, np.uint8)
