"""Test data in operations: in path, header and JSON, by key or by arrival, made when asked for. Requirement L4."""

from resilience.load.records import Records
from resilience.model import DataField, Feeder, Load, LoadOrder, Operation
from resilience.spec.data import values_of
from tests.load.target import answer
from tests.load.test_engine import Memory
from tests.load.test_journeys import carried_out, engine_for

DATA = (
    DataField(name="email", kind="email"),
    DataField(name="age", kind="number", least=18, most=90, by="arrival"),
    DataField(name="vip", kind="boolean"),
)
SEND = Operation(
    name="send",
    weight=1,
    method="POST",
    path="/users/${key}?mail=${data.email}",
    headers={"X-Run": "${run}", "X-City": "${data.city}"},
    json={"age": "${data.age}", "vip": "${data.vip}", "text": "${data.age} years", "mail": "${data.email}"},
    timeout_s=5.0,
)


def test_operations_carry_generated_and_fed_data(make_target, tmp_path):
    """Records are those of seed and key, or of seed and arrival; numbers stand in JSON as numbers; the run is named."""
    (tmp_path / "places.csv").write_text("city\nOslo\nLima\n")
    target = make_target(lambda _: answer(200, {}))
    engine = engine_for(
        target.url,
        Memory(),
        operations=(SEND,),
        data=DATA,
        feeder=Feeder(file="places.csv", columns=("city",)),
        home=str(tmp_path),
    )
    carried_out(engine)
    email, age, vip = (values_of(field, 1) for field in DATA)
    assert len(target.asked) == 20
    ages = set()
    for asked in target.asked:
        key = int(asked.path.split("/")[2].partition("?")[0])
        document = asked.document
        assert document["mail"] == email(key)
        assert asked.path.endswith(f"mail={email(key).replace('@', '%40')}")
        assert document["vip"] is (vip(key) == "true")
        assert document["text"] == f"{document['age']} years"
        assert asked.headers["x-run"] == "0badcafe"
        assert asked.headers["x-city"] == ("Oslo", "Lima")[key % 2]
        ages.add(document["age"])
    assert ages == {int(age(index)) for index in range(20)}


def test_values_are_made_when_they_are_asked_for():
    """And once: the same name is the same text."""
    order = LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=0,
        base_url="http://x",
        folder="/",
        max_s=1.0,
        load=Load(rate=1, operations=(SEND,), data=DATA),
    )
    records = Records(order)
    known = records.about(3, 7)
    assert dict(known) == {"key": "7"}
    assert known["data.email"] == values_of(DATA[0], 1)(7)
    assert set(known) == {"key", "data.email"}
    assert not Records(
        LoadOrder(run="x", seed=1, zero_ns=0, base_url="", folder="/", max_s=1.0, load=Load(rate=1, operations=(SEND,)))
    )
