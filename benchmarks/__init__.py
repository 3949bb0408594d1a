"""Benchmarks of the server, side by side with others: ``python -m benchmarks QUESTION``.

    questions/  one module per question; its docstring starts with the question
    runner/     shared by all questions: command line, configuration, order of rounds, progress
    servers/    the servers under comparison, their processes, workloads, and checks of their responses
    load/       load generators: our own, and wrk
    attack/     attack clients, and the honest clients served during an attack
    results/    saved runs: samples, statistics, checks, targets, tables
    report/     the HTML report

``bare_loop.py`` is the floor: the upper bound for a single-threaded Python server.
"""
