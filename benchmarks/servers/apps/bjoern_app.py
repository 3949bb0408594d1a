"""bjoern with the WSGI application: ``python -m benchmarks.servers.apps.bjoern_app 8000``."""

import sys

import bjoern

from benchmarks.servers.apps.wsgi import application

if __name__ == "__main__":
    bjoern.run(application, "127.0.0.1", int(sys.argv[1]), listen_backlog=4096)
