"""Whether skew, generated data and feeder fit together, and what they let operations hold. Pure."""

from collections.abc import Iterator

from resilience.model import DataField, Feeder, Load, Skew
from resilience.spec.data import MOST_TEXT, bounds, instants
from resilience.spec.findings import Findings, show
from resilience.spec.text import join

PREFIX = "data."
FEEDER_ENDINGS = (".csv", ".jsonl", ".ndjson")

_OWN: dict[str, frozenset[str]] = {
    "exponent": frozenset({"zipf", "latest"}),
    "hot_keys": frozenset({"hot"}),
    "hot_share": frozenset({"hot"}),
    "every": frozenset({"latest"}),
}
_FIELDS: dict[str, frozenset[str]] = {
    "least": frozenset({"number", "decimal", "text"}),
    "most": frozenset({"number", "decimal", "text"}),
    "of": frozenset({"choice"}),
    "earliest": frozenset({"timestamp"}),
    "latest": frozenset({"timestamp"}),
    "places": frozenset({"decimal"}),
}
_SPELT = {"least": "from", "most": "to", "earliest": "after", "latest": "before"}


def data_names(load: Load | None) -> tuple[str, ...]:
    """What templates may hold because of the load's data: `data.email`."""
    if load is None:
        return ()
    columns = load.feeder.columns if load.feeder is not None else ()
    return tuple(f"{PREFIX}{name}" for name in (*(field.name for field in load.data), *columns))


def check_mixture(load: Load, path: str, findings: Findings) -> None:
    """Note what means nothing, stands twice, or contradicts itself."""
    if load.skew is not None:
        _check_skew(load, load.skew, join(path, "skew"), findings)
    seen: set[str] = set()
    for index, field in enumerate(load.data):
        where = f"{join(path, 'data')}[{index}]"
        if field.name in seen:
            findings.add(join(where, "name"), f"there is a field {field.name!r} already", "choose another name")
        seen.add(field.name)
        for key, message, hint in _wrong(field):
            findings.add(join(where, key) if key else where, message, hint)
    if load.feeder is not None:
        _check_feeder(load.feeder, seen, join(path, "feeder"), findings)


def _check_skew(load: Load, skew: Skew, path: str, findings: Findings) -> None:
    if load.zipf > 0:
        message = f"skew says {skew.kind!r}, and zipf: {load.zipf:g} says how keys are skewed as well"
        findings.add(path, message, "leave one of them out")
    plain = Skew(kind=skew.kind)
    for name, kinds in _OWN.items():
        if skew.kind not in kinds and getattr(skew, name) != getattr(plain, name):
            findings.add(join(path, name), f"means nothing for {skew.kind}", f"it belongs to {' and '.join(kinds)}")


def _wrong(field: DataField) -> Iterator[tuple[str, str, str]]:
    """(key, what is wrong, what to do) each."""
    plain = DataField(name=field.name, kind=field.kind)
    for name, kinds in _FIELDS.items():
        if field.kind not in kinds and getattr(field, name) != getattr(plain, name):
            known = ", ".join(sorted(kinds))
            yield _SPELT.get(name, name), f"means nothing for a {field.kind}", f"it belongs to {known}"
    if field.kind == "choice" and not field.of:
        yield "of", "is missing: a choice is among something", "write of: {free: 9, paid: 1}"
    if field.kind in _FIELDS["least"]:
        yield from _wrong_range(field)
    if field.kind == "timestamp":
        yield from _wrong_instants(field)


def _wrong_range(field: DataField) -> Iterator[tuple[str, str, str]]:
    least, most = bounds(field)
    if least > most:
        yield "from", f"{least:g} is more than to: {most:g}", "exchange them"
    if field.kind != "decimal" and (least % 1 or most % 1):
        yield "from", f"{least:g} to {most:g}: whole numbers were expected", "write kind: decimal for fractions"
    if field.kind == "text" and not 0 <= least <= most <= MOST_TEXT:
        yield "to", f"{least:g} to {most:g} characters: 0 to {MOST_TEXT:,} were expected", "change from and to"


def _wrong_instants(field: DataField) -> Iterator[tuple[str, str, str]]:
    try:
        first, last = instants(field)
    except ValueError as error:
        yield "after", f"no instant: {error}", "write it as 2024-01-31T12:00:00Z"
        return
    if first > last:
        yield "after", f"{show(field.earliest)} is later than before: {show(field.latest)}", "exchange them"


def _check_feeder(feeder: Feeder, fields: set[str], path: str, findings: Findings) -> None:
    if not feeder.file.endswith(FEEDER_ENDINGS):
        hint = f"name a file that ends in {', '.join(FEEDER_ENDINGS)}"
        findings.add(join(path, "file"), f"{show(feeder.file)} ends like no file that can be read", hint)
    for name in feeder.columns:
        if name in fields:
            findings.add(join(path, "columns"), f"{name!r} is a field of data as well", "choose another name")
    for name in {name for name in feeder.columns if feeder.columns.count(name) > 1}:
        findings.add(join(path, "columns"), f"{name!r} stands there twice", "keep one")
