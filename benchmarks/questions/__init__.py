"""The questions (results/questions.toml), in the order in which they are measured."""

import importlib
from typing import Any

from benchmarks.results.statistics import COMPARISONS
from benchmarks.results.tables import SHOWN

QUESTIONS = {name: shown.question for name, shown in SHOWN.items()}


def question_module(question: str) -> Any:
    """Return what answers a question: its ``measure`` adds samples to a run."""
    if question in COMPARISONS:
        return importlib.import_module("benchmarks.questions.comparisons").COMPARISONS[question]
    return importlib.import_module(f"benchmarks.questions.{question}")
