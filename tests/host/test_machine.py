"""What kind of machine this is."""

from resilience.host.machine import describe, processor


def test_it_has_what_figures_depend_on():
    """Cores and memory are there, as plain values."""
    found = describe()
    assert found["cores"] >= 1
    assert found["memory_gib"] >= 0
    assert all(found[name] for name in ("processor", "system"))


def test_the_processor_is_what_the_kernel_calls_it(tmp_path):
    """The first of its lines; where there is none, what the platform says."""
    path = tmp_path / "cpuinfo"
    path.write_text("processor : 0\nmodel name\t: Some Processor 3000 @ 2 GHz\nflags: x\nmodel name\t: other\n")
    assert processor(path) == "Some Processor 3000 @ 2 GHz"
    assert processor(tmp_path / "none")
