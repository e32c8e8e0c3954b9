"""The HTML report: whole, honest, harmless."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from resilience.model import Answer, Event, EventKind, Part
from resilience.report.html import find_sections, render
from resilience.report.html import page as report_page
from resilience.report.material import Material

VOID = {"meta", "br", "link", "img", "input", "hr", "col"}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J\x00\u202e{{ 7 * 7 }}</style></script><!--"


class Page(HTMLParser):
    """Reads a page, notes its elements, texts and figures, and that every element is closed where it must be."""

    def __init__(self, content: bytes):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.figures, self.bodies, self.rows = [], [], [], {}, []
        self.feed(content.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "tr":
            self.rows.append([])
        if tag == "data" and self.rows:
            self.rows[-1].append(found["value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """It must be the last one that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Keep what stands in each kind of element."""
        if self.open:
            self.bodies.setdefault(self.open[-1], []).append(data)

    def text(self):
        """All that a reader sees."""
        return " ".join(" ".join(texts) for tag, texts in self.bodies.items() if tag not in {"script", "style"})


def test_page_is_whole_and_asks_for_nothing(record, verdict):
    """Requirement R1: one file that opens from disk: it parses, and refers to nothing outside itself."""
    page = Page(render(record, verdict))
    for tag, attrs in page.tags:
        assert not {"src", "srcset", "data-src", "action", "style"} & attrs.keys(), (tag, attrs)
        assert attrs.get("href", "#").startswith("#"), "only to places in the page itself"
        assert not [name for name in attrs if name.startswith("on")]
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    style = "".join(page.bodies["style"])
    assert "url(" not in style
    assert "@import" not in style


def test_policy_allows_exactly_what_is_there(record, verdict):
    """The policy forbids everything but the one script and the one style in the file, which it names by hash."""
    page = Page(render(record, verdict))
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")

    def digest(text):
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    style, (_data, script) = page.bodies["style"][0], page.bodies["script"]
    allowed = f"script-src {digest(script)}; style-src {digest(style)}"
    assert policy == f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def test_hostile_names_are_only_text(make):
    """Markup, quotes, control characters and template code in any text from outside are shown, never obeyed."""
    document = make.document()
    for row in (document["phases"][0], document["faults"][0], document["recovery"]["cycles"][0]):
        row["name"] = row["fault"] = row["kind"] = EVIL
    document["phases"][0]["operations"][EVIL] = document["phases"][0]["operations"]["all"]
    document["objectives"][0]["expression"] = document["objectives"][0]["answer"] = EVIL
    parts = (Part(EVIL, Answer.FAIL, EVIL, (EVIL, {EVIL: EVIL}, [EVIL])),)
    record = make.record(
        title=EVIL,
        target=EVIL,
        problems=(EVIL,),
        events=(
            Event(0.0, EventKind.HEADER, "", {"versions": {EVIL: EVIL}}),
            Event(1.0, EventKind.MARK, EVIL, {"text": EVIL}),
        ),
    )
    content = render(record, make.verdict(Answer.FAIL, document=document, because=EVIL, parts=parts))
    page = Page(content)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert [tag for tag, _ in page.tags].count("img") == 0
    assert "<script>alert(1)" in page.text()
    assert "\\x1b[2J\\x00\\u202e{{ 7 * 7 }}" in page.text()
    for char in (b"\x1b", b"\x00", "\u202e".encode()):
        assert char not in content


def test_every_figure_of_the_phases_is_the_judged_one(record, verdict):
    """Each number shown for a phase and operation is exactly the document's, in the document's digits."""
    page = Page(render(record, verdict))
    rows = [row for row in page.rows if len(row) in {12, 14}]
    expected = []
    for phase in verdict.document["phases"]:
        for index, (_name, figures) in enumerate(
            sorted(phase["operations"].items(), key=lambda item: (item[0] != "all", item[0]))
        ):
            when = [repr(phase["start_s"]), repr(phase["end_s"])] if index == 0 else []
            before = ("count", "ok", "failed", "unknown", "dropped", "rps", "error_rate")
            after = ("p50_ms", "p95_ms", "p99_ms", "max_ms")
            share = repr(figures["degraded"] / figures["ok"])
            expected.append([*when, *(repr(figures[k]) for k in before), share, *(repr(figures[k]) for k in after)])
    assert rows == expected


def test_verdict_recovery_and_writes_are_the_judged_ones(record, make):
    """The banner has the sentence; recovery and ledger tables have the document's numbers, lost writes stand out."""
    document = make.document("fail", "2 of 1,690 acknowledged writes are lost")
    document["writes"]["lost"] = 2
    verdict = make.verdict(Answer.FAIL, document=document)
    content = render(record, verdict).decode()
    page = Page(content.encode())
    assert "2 of 1,690 acknowledged writes are lost" in page.text()
    assert re.findall(r'<data value="([^"]+)"', content.split('class="lead"')[1])[:4] == [
        "6.66",
        "1.58",
        "8.25",
        "300.0",
    ]
    assert re.search(r'<tr class="bad"><th scope="row">lost</th><td class="r"><data value="2"', content)
    assert "✗" in page.text()


def test_what_did_not_happen_is_not_a_number(record, make):
    """None is a dash or `never`, not zero and not `None`."""
    document = make.document()
    document["recovery"] = {"mttr_s": None, "mttr_low_s": None, "mttr_high_s": None, "limit_s": 300.0, "cycles": [
        {"degraded_s": None, "detected_s": None, "recovered_s": None, "resolution_s": 0.1}]}  # fmt: skip
    document["faults"][0]["confirmed_s"] = None
    document["phases"][0]["operations"]["all"]["p95_ms"] = None
    page = Page(render(record, make.verdict(document=document)))
    assert "None" not in page.text()
    assert "never" in page.text()


@pytest.mark.parametrize(
    "document", [{}, {"phases": 3, "faults": "x", "recovery": [], "writes": None, "objectives": None}]
)
def test_poor_document_still_makes_a_page(make, document):
    """A run that could hardly be judged has a report that says so."""
    whole = make.record()
    record = make.record(
        samples=whole.samples.where(np.zeros(len(whole.samples), bool)),
        ledger=None,
        truth=None,
        events=(),
        problems=("no footer",),
    )
    verdict = make.verdict(Answer.UNKNOWN, document=document, because="the record was cut short")
    text = Page(render(record, verdict)).text()
    assert "the record was cut short" in text
    assert "no footer" in text


def test_pictures_have_the_same_figures_as_a_table(record, verdict):
    """Without a script the figures are there as a table; in every bin all that was offered has an outcome."""
    page = Page(render(record, verdict))
    data = json.loads(page.bodies["script"][0])
    latency, throughput, errors = data["runs"][0]["charts"]
    lines = {line["label"]: line["values"] for chart in (throughput, errors) for line in chart["lines"]}
    assert len(lines["offered"]) == 69
    for index in range(69):
        ended = sum(lines[name][index] for name in ("ok", "failed", "unknown", "dropped"))
        assert lines["offered"][index] == pytest.approx(ended, abs=0.5)
    assert sum(latency["heat"][2::3]) == len(record.samples) - np.count_nonzero(record.samples.outcome == 3)
    assert [band["short"] for band in data["runs"][0]["phases"] if band["fault"]] == ["F1", "F2", "F3"]
    for title in ("Latency", "Throughput", "Not ok"):
        assert f"{title} as a table" in page.text()


def test_same_record_same_bytes(make):
    """A report depends on its record and verdict alone."""
    assert render(make.record(), make.verdict()) == render(make.record(), make.verdict())


def test_large_record_is_quick_and_small(make):
    """A million samples over an hour: well under the ten seconds and three megabytes that are allowed."""
    record = make.record(samples=make.samples(280.0, 3600.0))
    began = time.monotonic()
    content = render(record, make.verdict())
    assert time.monotonic() - began < 5.0
    assert len(content) < 1_000_000


@pytest.mark.slow
def test_browser_draws_it_without_complaint(record, verdict, tmp_path):
    """A real browser draws three pictures, and neither the policy nor the script has anything to complain about."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs a Chromium on PATH (Debian: apt-get install chromium)")
    file = tmp_path / "report.html"
    file.write_bytes(render(record, verdict))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
         "--window-size=1280,900",
         f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", file.as_uri()],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    drawn = done.stdout.decode()
    assert drawn.count("<canvas") == 3
    assert 'class="tools" hidden' not in drawn
    complaints = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
    assert complaints == []


def test_accounts_of_the_ledger_have_a_table(make):
    """Name, effect, answer and figures, also where there is no plain ledger; without accounts there is no table."""
    stock = {
        "name": "stock",
        "effect": "counter",
        "answer": "fail",
        "acknowledged": 8,
        "verified": 3,
        "under_applied": 2,
    }
    document = {**make.document("fail"), "accounts": [stock], "writes": None}
    page = render(make.record(), make.verdict(Answer.FAIL, document=document)).decode()
    assert "Accounts of the ledger" in page
    assert "8 acknowledged, 3 verified, 2 under applied" in page
    assert "No writes were judged" not in page
    assert "Accounts of the ledger" not in render(make.record(), make.verdict()).decode()


def test_numbers_are_defined_one_click_away(record, verdict):
    """Requirement R1: sections with figures say how each is defined, of which window, from how many of what."""
    sections = {section.name: section for section in find_sections(Material(record, verdict))}
    for name in ("time", "recovery", "writes", "objectives", "degradation", "phases", "faults"):
        assert sections[name].definitions, name
        for one in sections[name].definitions:
            assert one.term, name
            assert one.meaning, name
            assert one.window, (name, one.term)
            assert one.samples, (name, one.term)
    text = Page(render(record, verdict)).text()
    assert text.count("How these numbers are defined") == sum(bool(one.definitions) for one in sections.values())
    assert "17,250 operations offered" in text
    assert "1,725 writes attempted" in text


def test_several_runs_in_one_page(make):
    """A table of verdicts first, the worst as the answer; each run whole, with places and pictures of its own."""
    runs = [Material(make.record(), make.verdict()), Material(*make.hostile()), Material(make.record(), make.verdict())]
    content = report_page(runs)
    found = Page(content)
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    linked = {attrs["href"].removeprefix("#") for _, attrs in found.tags if "href" in attrs}
    assert linked <= set(ids)
    assert {"run-1-top", "run-2-recovery", "run-3-gaps"} <= set(ids)
    assert "1 fail, 2 pass" in re.sub(r"\s+", " ", found.text())
    data = json.loads(found.bodies["script"][0])
    assert [len(run["charts"]) for run in data["runs"]] == [3, 3, 3]
    heads = [tag for tag, _ in found.tags if tag in {"h1", "h2", "h3"}]
    assert (heads.count("h1"), heads.count("h2")) == (1, 3)


def test_a_section_that_has_nothing_to_say_is_left_out(make):
    """And is not in the list of sections either."""
    record = make.record()
    whole = [section.name for section in find_sections(Material(record, make.verdict()))]
    poor = [
        section.name
        for section in find_sections(
            Material(record, make.verdict(Answer.UNKNOWN, document={}, parts=(Part("a", Answer.UNKNOWN, "b"),)))
        )
    ]
    assert "degradation" in whole
    assert "degradation" not in poor
