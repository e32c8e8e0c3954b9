import pytest

from resilience.errors import EnvironmentNotReady
from resilience.model import StackSpec
from resilience.stack.factory import open_stack


@pytest.mark.parametrize("name", ["compose", "kubernetes", "external"])
def test_a_stack_of_a_later_version_is_not_available(tmp_path, name):
    """The message names it and the one that is."""
    with pytest.raises(EnvironmentNotReady, match=f"'{name}' is not available in this version.*use embedded"):
        open_stack(StackSpec(use=name), tag="test", experiment_folder=tmp_path)
