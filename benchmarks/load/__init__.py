"""The load generators: our own, on reactor's event loop, and wrk."""
