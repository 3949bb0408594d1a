"""The same few answers in the ways of many servers: /echo/{text}, and /files/{name} both ways."""
