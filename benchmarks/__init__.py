"""Benchmarks of the server, side by side with others: ``python -m benchmarks QUESTION``.

    questions/  one module a question; its docstring begins with the question
    runner/     what all questions share: command line, configuration, order of rounds, progress
    servers/    the servers that are compared, their processes, workloads, and checks of their answers
    load/       load generators: our own, and wrk
    attack/     attack clients, and the honest clients that are served meanwhile
    results/    saved runs: samples, statistics, checks, targets, tables
    report/     the HTML report

``bare_loop.py`` is the floor of all comparisons.
"""
