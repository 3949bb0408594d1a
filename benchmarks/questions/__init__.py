"""The questions: one module each, whose docstring begins with the question; and their order."""

import importlib
from typing import Any

QUESTIONS = (
    *("throughput", "concurrency", "latency", "idle", "fairness", "files", "compression", "watching"),
    "attack",
)
ALIASES = {"gzip": "compression"}


def question_module(question: str) -> Any:
    """Return the module that asks a question; it has a ``measure``."""
    return importlib.import_module(f"benchmarks.questions.{question}")


def question_text(question: str) -> str:
    """Return the question itself, the first line of its module.

    >>> question_text("latency")
    'How long do answers take at 50, 70 and 90 % of what a server can do?'
    """
    return (question_module(question).__doc__ or "").partition("\n")[0]
