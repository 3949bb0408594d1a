"""The load generators: our own, on reactor's event loop, and wrk. In reading order:

    clients.py      connections of one thread: opened, reopened, and sending requests
    responses.py    parsing and comparing responses
    pacing.py       when requests are sent: closed loop, open loop
    transfers.py    downloads and uploads of large files
    round.py        a job and its phases: connect, warm up, measure
    process.py      running a job in a child process, which returns a sample
    histogram.py    response times
    wrk.py          running wrk, which returns a sample

Unlike wrk, our own generator compares response bodies, also with a different request each time ({n} is
replaced with a new number); it can send at a fixed rate and time each request from when it was due; and it
can keep thousands of idle connections open and check at the end whether they are still served. It uses one
core.
"""
