"""Operations that another program told of become samples, slices and an account that agree."""

from pathlib import Path

from resilience.load.drivers.locust import check_account
from resilience.load.scripts.seen import DROPPED, MAX_NAMES, OTHER, Seen
from resilience.load.scripts.tally import Tally
from resilience.model import OUTCOMES, Outcome
from resilience.record.samples import read_samples

MS = 1_000_000


def test_samples_and_account_agree_whatever_is_told_when(tmp_path: Path):
    """Names that come later stand in later files, and every sample keeps its own."""
    tally = Tally(tmp_path, ["s3cr3t-token"])
    told = [
        Seen("read", 10 * MS, 15 * MS, Outcome.OK, 200),
        Seen("write", 5 * MS, 25 * MS, Outcome.UNKNOWN, 503, "status 503 s3cr3t-token"),
    ]
    later = [Seen(DROPPED, 30 * MS, 30 * MS, Outcome.DROPPED), Seen("read", 40 * MS, 41 * MS, Outcome.FAILED)]
    for seen in told:
        tally.take(seen)
    tally.flush()
    first = tally.slice(0.0, 0.03, 3)
    for seen in later:
        tally.take(seen)
    tally.close()
    account = tally.account()
    check_account(account)
    assert {outcome.value: account[outcome.value] for outcome in OUTCOMES} == {
        "ok": 1,
        "failed": 1,
        "unknown": 1,
        "dropped": 1,
    }
    assert first["counts"] == {"read": {"ok": 1}, "write": {"unknown": 1}}
    assert (first["offered"], first["in_flight"], sum(first["histogram"].values())) == (2, 3, 2)
    assert tally.slice(0.03, 0.06, 0)["histogram"] != first["histogram"]
    assert tally.first_ns == 5 * MS
    samples, problems = read_samples(tmp_path)
    assert problems == ()
    found = {
        (samples.operations[int(number)], int(start), int(end), OUTCOMES[int(outcome)], samples.details[int(detail)])
        for number, start, end, outcome, detail in zip(
            samples.operation, samples.start_ns, samples.end_ns, samples.outcome, samples.detail, strict=True
        )
    }
    assert found == {
        (seen.name, seen.start_ns, seen.end_ns, seen.outcome, seen.detail.replace("s3cr3t-token", "[secret]"))
        for seen in (*told, *later)
    }
    assert (samples.arrival_ns == samples.start_ns).all()


def test_names_stay_few(tmp_path: Path):
    """A script that puts an id into each name does not fill the record with names; nothing is left out."""
    tally = Tally(tmp_path)
    for number in range(3 * MAX_NAMES):
        tally.take(Seen(f"read-{number}", 0, 1, Outcome.OK))
    per_operation = tally.account()["per_operation"]
    assert len(per_operation) == MAX_NAMES + 1
    assert per_operation[OTHER]["offered"] == 2 * MAX_NAMES
    tally.close()
