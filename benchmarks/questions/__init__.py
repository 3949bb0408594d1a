"""The questions, one module each, and the order in which they are measured."""

import importlib
from typing import Any

QUESTIONS = (
    *("throughput", "concurrency", "latency", "idle", "fairness", "files", "compression", "watching"),
    "attack",
)
ALIASES = {"gzip": "compression"}


def question_module(question: str) -> Any:
    """Return the module of a question; its ``measure`` function adds the samples."""
    return importlib.import_module(f"benchmarks.questions.{question}")


def question_text(question: str) -> str:
    """Return the question in words: the first line of its module's docstring.

    >>> question_text("watching")
    'What do --explain, --trace and --inspect cost?'
    """
    return (question_module(question).__doc__ or "").partition("\n")[0]
