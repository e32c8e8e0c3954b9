"""What a load is given besides its file: tokens in the environment, and a feeder's file; looked for before a run."""

import os
from collections.abc import Iterator

from resilience.errors import LoadError
from resilience.load.feeder import Rows
from resilience.model import Experiment, Problem
from resilience.spec.journeys import token_variables


def load_lacks(experiment: Experiment) -> Iterator[Problem]:
    """What is not there, or cannot be read. Reads, and touches nothing."""
    load = experiment.load
    for token in load.tokens:
        for _, variable in token_variables(token, load.tenants):
            if not os.environ.get(variable):
                message = f"the environment variable {variable} is not set; the token {token.name} is taken from there"
                yield Problem("load.tokens", message, "set it before the run")
    if load.feeder is not None:
        try:
            Rows(load.feeder, experiment.folder)
        except LoadError as error:
            yield from error.problems


def load_secrets(experiment: Experiment) -> tuple[str, ...]:
    """The tokens of the environment: they must appear in no artefact."""
    load = experiment.load
    variables = [name for token in load.tokens for _, name in token_variables(token, load.tenants)]
    return tuple(found for name in variables if (found := os.environ.get(name, "")))
