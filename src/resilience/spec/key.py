"""One key of the file, and blocks that hold keys: what the tables in `keys.py` and `keys_*.py` are made of."""

from dataclasses import dataclass
from typing import Any

from resilience.spec.findings import Findings
from resilience.spec.shapes import Shape


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file.

    Attributes:
        path: its spelling; `request.method` is `method` inside `request`.
        field: the field of the model's dataclass.
        text: what it means, for editors.
    """

    path: str
    field: str
    shape: Shape
    text: str


def block(kind: type) -> Shape:
    """A mapping that is read into a dataclass, whose keys stand in `keys.KEYS`."""

    def read(value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
        from resilience.spec.keys import read_block  # noqa: PLC0415 - all tables are put together there

        return read_block(kind, value, path, findings)

    return Shape({"$ref": f"#/$defs/{kind.__name__}"}, read, whole=False)


VARIABLE = Shape(
    {
        "type": "string",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
        "title": "environment variable",
        "examples": ["TRUTH_DSN"],
    }
)
