"""What reports of a record of 10 million samples take: each format made by a process of its own.

The record is that of the benchmark `judge`. Of each format the time of rendering alone counts, the run being read and
judged as it is at the end of a run, and for the CSV the time of the whole export, which reads the samples itself.
Memory of an export is the most that its process ever had, interpreter and all, beside that of a record of a tenth.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import Figure, Options, Result

SAMPLES = 10_000_000
HTML_S, HTML_MB, REPORT_S, GROWTH_MB = 5.0, 3.0, 10.0, 64.0
GOAL = {
    "html_s": f"at most {HTML_S:g} s",
    "html_mb": f"at most {HTML_MB:g} MB",
    "slowest_s": f"at most {REPORT_S:g} s, of every format",
    "csv_growth_mb": f"at most {GROWTH_MB:g} MB more than of a record of a tenth: it streams",
    "csv_rows": "as many as samples",
}
FORMATS = ("html", "md", "junit", "json", "pdf")


def rendered(folder: Path) -> dict[str, float]:
    """Read and judge a record, then make each report of it; seconds and megabytes."""
    from resilience.cli_report import FILES, render  # noqa: PLC0415 - what is imported is not part of the record's time
    from resilience.judge.verdict import judge  # noqa: PLC0415
    from resilience.record.reader import read_record  # noqa: PLC0415
    from resilience.report.material import Material  # noqa: PLC0415
    from resilience.report.selection import Selection  # noqa: PLC0415

    begun = time.perf_counter()
    record = read_record(folder)
    verdict = judge(record)
    figures = {"samples": float(len(record.samples)), "read_and_judge_s": time.perf_counter() - begun}
    for name in FORMATS:
        begun = time.perf_counter()
        content = render(name, [Material(record, verdict)], Selection())  # made anew: nothing is shared
        (folder / FILES[name]).write_bytes(content)
        figures[f"{name}_s"] = time.perf_counter() - begun
        figures[f"{name}_mb"] = len(content) / 1e6
    return figures


def exported(folder: Path) -> dict[str, float]:
    """Export all samples of a record; seconds, rows, and the most memory."""
    from resilience.report.export import write_csv  # noqa: PLC0415
    from resilience.report.selection import Selection  # noqa: PLC0415

    path = folder / "report.csv"
    begun = time.perf_counter()
    problems = write_csv([folder], path, Selection())
    took = time.perf_counter() - begun
    assert not problems, problems
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    size = path.stat().st_size
    path.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"csv_s": took, "csv_rows": lines - 1, "csv_mb": size / 1e6, "csv_peak_mb": peak}


def apart(what: str, folder: Path) -> dict[str, float]:
    """One of these in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.report", what, str(folder)]
    done = subprocess.run(argv, check=True, capture_output=True, timeout=900)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(options: Options) -> Result:
    """Write the record and one of a tenth; the slowest of `count` turns counts."""
    count, worst = options.count or 1, {}
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folders = {}
        for samples in (SAMPLES, SAMPLES // 10):
            folders[samples] = Path(name) / str(samples)
            folders[samples].mkdir()
            writer = [sys.executable, "-m", "benchmarks.judge", "write", str(folders[samples])]
            subprocess.run([*writer, str(samples), str(options.seed)], check=True, timeout=1800)
        small = apart("export", folders[SAMPLES // 10])
        for turn in range(count):
            found = apart("render", folders[SAMPLES]) | apart("export", folders[SAMPLES])
            options.say(f"{turn + 1}: {found}")
            worst = {key: max(value, worst.get(key, 0.0)) for key, value in found.items()}
    growth = worst["csv_peak_mb"] - small["csv_peak_mb"]
    slowest = max(worst[f"{one}_s"] for one in (*FORMATS, "csv"))
    figures: dict[str, Figure] = {key: round(value, 2) for key, value in worst.items()}
    figures |= {
        "slowest_s": round(slowest, 2),
        "csv_growth_mb": round(growth, 1),
        "turns": count,
        "processors": os.cpu_count(),
    }
    met = (
        worst["html_s"] <= HTML_S
        and worst["html_mb"] <= HTML_MB
        and slowest <= REPORT_S
        and growth <= GROWTH_MB
        and worst["csv_rows"] == worst["samples"]
    )
    return Result(figures=figures, goal=GOAL, met=met)


if __name__ == "__main__":
    print(json.dumps({"render": rendered, "export": exported}[sys.argv[1]](Path(sys.argv[2]))))
