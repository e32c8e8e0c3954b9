"""The figures that stand first: as judged, and not known where they are not."""

from resilience.model import Answer, Part
from resilience.report.material import Material
from resilience.report.tiles import find_tiles


def told(of):
    """Label → (value, tone)."""
    return {tile.label: (tile.value, tile.tone) for tile in find_tiles(of)}


def test_figures_as_judged(record, make):
    """Mean recovery, writes lost, objectives met, errors under the worst fault, faults seen."""
    found = told(Material(record, make.verdict()))
    assert found["Mean time without full service"] == ("6.66 s", "")
    assert found["Acknowledged writes lost"] == ("0", "")
    assert found["Faults seen to come and go"] == ("3 of 3", "")
    assert found["Objectives met"][0].startswith(f"{len(make.document()['objectives'])} of")


def test_what_decides_stands_out(record, make):
    """The tile of a part that failed has its colour; unknown figures are not zero."""
    document = make.document("fail")
    document["writes"]["lost"] = None
    document["recovery"]["mttr_s"] = None
    document["faults"][0]["clear_s"] = None
    parts = (Part("writes", Answer.UNKNOWN, ""), Part("recovery", Answer.FAIL, ""), Part("faults", Answer.UNKNOWN, ""))
    found = told(Material(record, make.verdict(Answer.FAIL, document=document, parts=parts)))
    assert found["Acknowledged writes lost"] == ("not known", "unknown")
    assert found["Mean time without full service"] == ("not known", "fail")
    assert found["Faults seen to come and go"] == ("2 of 3", "unknown")


def test_accounts_are_told_beside_the_ledger(record, make):
    """No lost entry of the ledger says nothing about accounts: they have a tile of their own."""
    document = make.document()
    document["accounts"] = [{"name": "a", "answer": "pass"}, {"name": "b", "answer": "fail"}, {"name": "c"}]
    parts = (Part("writes", Answer.FAIL, ""),)
    found = told(Material(record, make.verdict(Answer.FAIL, document=document, parts=parts)))
    assert found["Accounts of writes that are sound"] == ("1 of 3", "fail")
    assert found["Acknowledged writes lost"] == ("0", "fail")


def test_what_was_not_judged_has_none(record, make):
    """No tile rather than an empty one."""
    assert told(Material(record, make.verdict(Answer.UNKNOWN, document={}, because="cut short"))) == {}


def test_no_impact_is_not_a_time(record, make):
    """Faults that nobody felt have no mean time, and that is no gap."""
    document = make.document()
    document["recovery"]["mttr_s"] = None
    for cycle in document["recovery"]["cycles"]:
        cycle["impact"] = "none"
    assert told(Material(record, make.verdict(document=document)))["Mean time without full service"][0] == "no impact"
