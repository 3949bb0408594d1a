"""WSGI (PEP 3333): applications of Flask, Bottle, Django and others, as routes of a server.

    from reactor import Router, serve
    from reactor.wsgi import mount

    routes = Router()
    mount(routes, application)            # every path; or below one: mount(routes, application, "/shop")
    serve(routes, port=8000)

The files, in the order of a request: ``mount`` (routes), ``request_input`` (the body), ``environ``,
``application_call`` (what the application is called with, and what it returns), ``start_response``,
``file_wrapper``, ``spooled_stream`` (the output).
"""

from reactor.wsgi.mount import mount

__all__ = ["mount"]
