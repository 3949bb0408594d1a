"""A corpus of raw requests, what each of them must be answered with, and what replays them.

What is where:

    subjects/   the entries, as Python lists by subject: the only source
    entry.py    one entry: the bytes, the expected status, the RFC section and the reason
    build.py    the whole corpus; as files:    python -m tests.conformance.corpus.build DIR
    replay.py   how a request is delivered, and how the outcome is checked
    __main__.py replays all of it against a running server:    python -m tests.conformance.corpus [--url URL]
"""
