"""The same application for each server: GET /echo/{text}, GET and POST /files/{name}."""
