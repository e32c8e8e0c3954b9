"""Ledger entries: how an entry of the write ledger is named, and what is sent as its body.

Both follow from (run, writer, epoch, seq) alone, so whoever reads the target's store later can say of every row whether
it is ours, which write it was and whether it is intact, without having seen the write.
"""

import hashlib
import re

_ID = re.compile(r"([0-9]{3,10})-([0-9]{3,10})-([0-9]{6,19})")
_MAX_32 = 2**31 - 1
_MAX_64 = 2**63 - 1


def prefix_of(run: str) -> str:
    """What every id of the run starts with."""
    return f"{run}-"


def format_id(run: str, writer: int, epoch: int, seq: int) -> str:
    """The id of an entry: `0badcafe-002-000-000017`; numbers grow longer rather than being cut."""
    return f"{run}-{writer:03d}-{epoch:03d}-{seq:06d}"


def parse_id(text: str, run: str) -> tuple[int, int, int] | None:
    """(writer, epoch, seq) of an id of this run.

    Returns:
        None if the text is not exactly what `format_id` writes: an id has one spelling, so two rows with different ids
        can never count as the same entry.
    """
    prefix = prefix_of(run)
    if not text.startswith(prefix):
        return None
    match = _ID.fullmatch(text, len(prefix))
    if match is None:
        return None
    writer, epoch, seq = (int(group) for group in match.groups())
    if writer > _MAX_32 or epoch > _MAX_32 or seq > _MAX_64 or format_id(run, writer, epoch, seq) != text:
        return None
    return writer, epoch, seq


def body_of(entry_id: str) -> str:
    """What is sent as the body of an entry: its id, 64 characters derived from the id, and a digest over both.

    A body that is cut, changed or stored under another id differs from `body_of` of the id it is stored under.
    """
    padding = hashlib.blake2b(entry_id.encode(), digest_size=32, person=b"padding").hexdigest()
    content = f"{entry_id}|{padding}"
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    return f"{content}|{digest}"
