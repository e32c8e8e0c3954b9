"""Targets that look like production need consent, by name, from whoever starts the run: the file cannot give it."""

import os
from collections.abc import Iterable

from resilience.errors import EnvironmentNotReady
from resilience.model import Experiment
from resilience.spec.production import DATA, PATTERNS, looks_like, refused, things, writers

MORE_PATTERNS = "RESILIENCE_PRODUCTION"
"""Environment variable with further patterns, separated by commas."""
CONSENT = "RESILIENCE_CONSENT"
"""Environment variable with names that were consented to, separated by commas."""


def require_consent(experiment: Experiment, given: Iterable[str]) -> tuple[str, ...]:
    """Let an experiment through whose target looks like production only with consent to the very thing.

    Whoever consents to faults has not consented to test data: with operations that write, `data:NAME` is needed, too.

    Args:
        experiment: what would be run. Nothing is touched.
        given: names from the command line; those in the environment are added.

    Returns:
        What looks like production and was consented to, for the record.

    Raises:
        EnvironmentNotReady: with everything that nobody consented to.
    """
    consent = (*given, *os.environ.get(CONSENT, "").split(","))
    patterns = (*PATTERNS, *os.environ.get(MORE_PATTERNS, "").split(","))
    found = things(experiment, os.environ)
    writing = writers(experiment)
    if problems := refused(found, patterns, consent, writing):
        raise EnvironmentNotReady(problems)
    names = dict.fromkeys(thing.name for thing in found if looks_like(thing.name, patterns))
    return (*names, *(f"{DATA}{name}" for name in names if writing))
