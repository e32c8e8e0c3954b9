"""Files that are there after a crash, and where this program keeps its state."""

import json
import os
from pathlib import Path
from typing import Any

import platformdirs


def state_folder() -> Path:
    """The folder for debts and kept stacks: `RESILIENCE_STATE`, else the user's state folder. Made with mode 0700."""
    named = os.environ.get("RESILIENCE_STATE")
    folder = Path(named).absolute() if named else Path(platformdirs.user_state_path("resilience"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def cache_folder() -> Path:
    """The folder for fetched programs: `RESILIENCE_CACHE`, else the user's cache folder."""
    named = os.environ.get("RESILIENCE_CACHE")
    folder = Path(named).absolute() if named else Path(platformdirs.user_cache_path("resilience"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes | memoryview, mode: int = 0o600) -> None:
    """Replace a file as a whole: written beside it, fsynced, renamed, folder fsynced."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, document: Any, mode: int = 0o600) -> None:  # noqa: ANN401 - any JSON document
    """Replace a JSON file as a whole, durably; NaN and infinities are refused."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    write_durably(path, text.encode(), mode)
