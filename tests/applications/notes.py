"""A JSON service that keeps notes in memory: create, list by tag, show, replace and delete them."""

import sys
from uuid import uuid4

from reactor import HTTPError, JSONValue, Request, Response, Router, serve

Note = dict[str, JSONValue]
routes = Router()
notes: dict[str, Note] = {}


def read_note(request: Request) -> Note:
    if not isinstance(data := request.json(), dict) or "title" not in data:
        raise HTTPError(422, 'expected an object with a title, such as {"title": "Tea", "tags": ["home"]}')
    title, tags = data["title"], data.get("tags", [])
    if not isinstance(title, str) or not title.strip():
        raise HTTPError(422, "title: expected a text that is not empty")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise HTTPError(422, "tags: expected a list of texts")
    return {"title": title, "tags": tags}


@routes.get("/notes")
def list_notes(request: Request) -> list[Note]:
    wanted, every = set(request.args.get_all("tag")), notes.values()
    return [note for note in every if isinstance(note["tags"], list) and wanted <= set(note["tags"])]


@routes.get("/notes/{number}")
def show(request: Request) -> Note:
    if request.params["number"] not in notes:
        raise HTTPError(404, f"no note {request.params['number']}")
    return notes[request.params["number"]]


@routes.post("/notes")
@routes.put("/notes/{number}")
def store(request: Request) -> Response:
    old, new = show(request) if request.method == "PUT" else None, read_note(request)
    number = request.params["number"] if old else uuid4().hex
    notes[number] = {"id": number, **new}
    return Response.json(notes[number], 200 if old else 201, {"Location": f"/notes/{number}"})


@routes.delete("/notes/{number}")
def delete(request: Request) -> Response:
    del notes[str(show(request)["id"])]
    return Response(204)


@routes.error(HTTPError)
def as_json(request: Request, error: HTTPError) -> dict[str, str]:
    return {"error": error.reason}


if __name__ == "__main__":
    start = "reactor: serving on {0.url} (notes)".format
    serve(routes, port=int(sys.argv[1]), on_ready=lambda server: print(start(server), file=sys.stderr))
