"""The questions, and the order in which they are measured.

``comparisons`` answers throughput, files, compression and watching, which differ in their workloads; each
other question has a module of its own.
"""

import importlib
from typing import Any

QUESTIONS = {
    "throughput": "How many requests per second does one core serve, compared with other servers?",
    "concurrency": "How do throughput and latency change from 1 connection to 10,000?",
    "latency": "How long do responses take at 50, 70 and 90 % of a server's capacity?",
    "idle": "What do 100, 1,000 and 10,000 idle connections cost, in memory and in latency?",
    "fairness": "How long do small requests wait while 8 clients download 1 GiB each, and 4 upload?",
    "files": "How many files per second does one core send (4 KiB to 100 MiB) and store (4 KiB, 1 MiB)?",
    "compression": "How many texts of 1,000 bytes does one core compress per second?",
    "watching": "What do --explain, --trace and --inspect cost?",
    "attack": "How long do honest requests take while the server is under attack?",
}
ALIASES = {"gzip": "compression"}
COMPARISONS = ("throughput", "files", "compression", "watching")


def question_module(question: str) -> Any:
    """Return what answers a question: ``measure`` adds samples, ``estimate`` returns the seconds."""
    if question in COMPARISONS:
        return importlib.import_module("benchmarks.questions.comparisons").COMPARISONS[question]
    return importlib.import_module(f"benchmarks.questions.{question}")


def question_text(question: str) -> str:
    """Return the question in words.

    >>> question_text("watching")
    'What do --explain, --trace and --inspect cost?'
    """
    return QUESTIONS[question]
