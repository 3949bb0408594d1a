"""Attacks on the server, and their effect on its honest clients: ``python -m benchmarks attack``.

attackers.py  the attack clients
scenarios.py  what they send, how many there are, and when an attack has taken effect
run.py        one attack: its phases, and what is measured in them
"""
