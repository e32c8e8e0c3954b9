"""What the names of test data stand for, of one arrival: generated fields and the columns of a feeder.

Values are made when a name is first asked for, so an operation that uses two of twenty fields costs two.
"""

from collections.abc import Callable
from typing import TypeAlias

from resilience.load.feeder import Rows
from resilience.load.operations import KEY, Typed
from resilience.model import DataField, LoadOrder
from resilience.spec.data import TYPED, values_of
from resilience.spec.mixture import PREFIX

Maker: TypeAlias = Callable[[int, int], str]
"""(index of the arrival, its key) → text."""


class Known(dict[str, str]):
    """What names stand for; those of test data are made when they are first asked for."""

    __slots__ = ("_index", "_key", "_makers")

    def __init__(self, makers: dict[str, Maker], index: int, key: int) -> None:
        super().__init__({KEY: str(key)})
        self._makers, self._index, self._key = makers, index, key

    def __missing__(self, name: str) -> str:
        """Make a value, once."""
        value = self[name] = self._makers[name](self._index, self._key)
        return value


class Records:
    """The test data of a load.

    Args:
        order: its load's data and feeder, its seed, and the folder of the feeder's file.

    Raises:
        LoadError: the feeder's file cannot be read.
    """

    def __init__(self, order: LoadOrder) -> None:
        load = order.load
        self._makers: dict[str, Maker] = {f"{PREFIX}{field.name}": _generated(field, order.seed) for field in load.data}
        if (feeder := load.feeder) is not None:
            rows = Rows(feeder, order.home)
            for column in feeder.columns:
                self._makers[f"{PREFIX}{column}"] = _fed(rows, column, by_key=feeder.by == "key")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._makers)

    def about(self, index: int, key: int) -> Known:
        """What the names stand for, for the arrival with this index and key; `${key}` as well."""
        return Known(self._makers, index, key)


def _generated(field: DataField, seed: int) -> Maker:
    value = values_of(field, seed)
    by_key, typed = field.by == "key", field.kind in TYPED

    def make(index: int, key: int) -> str:
        text = value(key if by_key else index)
        return Typed(text) if typed else text

    return make


def _fed(rows: Rows, column: str, *, by_key: bool) -> Maker:
    return lambda index, key: rows.row(key if by_key else index)[column]
