"""A corpus of raw requests, what each of them must be answered with, and what replays them.

What is where:

    valid/NAME.http     octets of one request that must be served, and what follows it, too
    invalid/NAME.http   octets that must be refused, and nothing that follows them answered
    NAME.json           beside each: the status (or "closing"), the section that decides it, and why
    subjects/   the readable list that the files are made from
    build.py    writes the files:    python -m tests.corpus.build
    replay.py   how a request is delivered, and how the outcome is judged
    __main__.py replays all of it against a running server:    python -m tests.corpus [--url URL]
"""
