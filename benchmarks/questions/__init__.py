"""The questions: their order, the module that asks each, and the question itself, in words."""

import importlib
from typing import Any

QUESTIONS = (
    *("throughput", "concurrency", "latency", "idle", "fairness", "files", "compression", "watching"),
    "attack",
)
ALSO_CALLED = {"gzip": "compression"}


def module_of(question: str) -> Any:
    """Return the module that asks a question; it has a ``measure``."""
    return importlib.import_module(f"benchmarks.questions.{question}")


def words_of(question: str) -> str:
    """Return the question, as one asks it.

    >>> words_of("latency")
    'How long do answers take at 50, 70 and 90 % of what a server can do?'
    """
    return (module_of(question).__doc__ or "").partition("\n")[0]
