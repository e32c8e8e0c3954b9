"""The runs of a folder in order of time. Requirement R3."""

import json

from resilience.drill.history import histories


def leave(folder, number, *, p95=10.0, answer="pass", validity="pass", experiment="shop"):
    """A run folder with a verdict."""
    own = folder / f"20260101T{number:06d}Z-{experiment}"
    own.mkdir(parents=True)
    figures = {"p50_ms": p95 / 2, "p95_ms": p95, "rps": 100.0, "error_rate": 0.0}
    document = {
        "answer": answer,
        "experiment": experiment,
        "digest": "a",
        "phases": [{"name": "baseline", "operations": {"all": figures, "read": figures}}],
        "recovery": {"mttr_s": 2.0 + number / 100},
        "parts": [{"name": "validity", "answer": validity}],
    }
    (own / "verdict.json").write_text(json.dumps(document))


def test_a_regression_raises_an_alert(tmp_path):
    """Each experiment by itself: the one that is half slower since its tenth run, and the one that is not."""
    for number in range(20):
        leave(tmp_path, number, p95=(10.0 if number < 10 else 15.0) + number / 100)
        leave(tmp_path, number, p95=10.0 + number / 100, experiment="other")
    (tmp_path / "latest").symlink_to("20260101T000019Z-shop")
    other, shop = histories(tmp_path, 0.2)
    assert (other.experiment, shop.experiment) == ("other", "shop")
    assert len(shop.runs) == 20
    assert {trend.name for trend in shop.alerts} == {"baseline read p50_ms", "baseline read p95_ms"}
    assert [point.index for point in shop.alerts[0].points] == [10]
    assert other.alerts == []
    assert shop.json()["alert"] is True


def test_runs_that_were_not_fit_are_in_no_trend(tmp_path):
    """They are counted, and said."""
    for number in range(9):
        leave(tmp_path, number)
    leave(tmp_path, 9, p95=500.0, answer="unknown", validity="unknown")
    (found,) = histories(tmp_path, 0.2)
    assert len(found.left_out) == 1
    assert all(len(trend.values) == 9 for trend in found.trends)


def test_what_is_no_run_is_passed_over(tmp_path):
    """A folder without a verdict, and one whose verdict cannot be read."""
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "verdict.json").write_text("{")
    assert histories(tmp_path, 0.2) == []
