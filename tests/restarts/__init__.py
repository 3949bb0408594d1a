"""Restarts under load: no request may fail (``python -m tests.restarts``)."""
