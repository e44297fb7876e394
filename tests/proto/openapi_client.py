"""Calls a server by what its OpenAPI document says, and holds every answer against it.

Usage: `client = OpenApiClient(document, port)`, then `client.call("SearchService_Search", collection="shop", ...)`: path, verb,
parameters, body and the form of the answer all come from the document. AssertionError where an answer is not as documented.
"""

import http.client
import json
import urllib.parse

import jsonschema


class OpenApiClient:
    def __init__(self, document, port):
        self.document, self.port = document, port
        self.operations = {operation["operationId"]: (path, verb, operation)
                           for path, item in document["paths"].items() for verb, operation in item.items()}
        self.called = set()
        # What the document leaves open for later versions is closed here: this version says what it sends.
        self.components = json.loads(json.dumps(document["components"]))
        for schema in self.components["schemas"].values():
            if schema.get("type") == "object":
                schema.setdefault("additionalProperties", False)

    def problems(self, schema, value):
        whole = {**schema, "components": self.components}
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
                for e in jsonschema.Draft4Validator(whole).iter_errors(value)]

    def check(self, schema, value, what):
        found = self.problems(schema, value)
        assert not found, f"{what}: {found}"

    def send(self, verb, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(verb, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def address(self, name, fields):
        """Path with its fields filled in, the fields that are left, and those that the address takes behind '?'."""
        path, _, operation = self.operations[name]
        left = dict(fields)
        parameters = operation.get("parameters", [])
        for parameter in parameters:
            if parameter["in"] == "path":
                value = left.pop(parameter["name"])
                path = path.replace("{%s}" % parameter["name"], urllib.parse.quote(value, safe=""))
        query = {p["name"]: left.pop(p["name"]) for p in parameters if p["in"] == "query" and p["name"] in left}
        return path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else ""), left

    def call(self, name, /, *, status=200, body=None, content_type="application/json", headers=None, **fields):
        """The decoded answer: an object, a list of them where lines come, bytes where bytes do."""
        _, verb, operation = self.operations[name]
        self.called.add(name)
        path, left = self.address(name, fields)
        sent = {"X-Requested-With": "test", **(headers or {})}
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]
            assert content_type in content, f"{name} does not document {content_type}"
            if body is None:
                self.check(content[content_type]["schema"], left, f"{name}: the request")
                body = json.dumps(left)
            sent.setdefault("Content-Type", content_type)
        else:
            assert not left, f"{name} has no place for {left}"
        code, answered, data = self.send(verb.upper(), path, body, sent)
        return self.answer(name, code, answered, data, status)

    def answer(self, name, code, headers, data, expected):
        responses = self.operations[name][2]["responses"]
        allowed = expected if isinstance(expected, tuple) else (expected,)
        assert code in allowed, f"{name}: {code} instead of {expected}: {data[:400]}"
        assert str(code) in responses or code in (405, 408, 413, 415), f"{name}: {code} is not documented"
        media = headers.get_content_type()
        documented = (responses.get(str(code)) or responses["default"])["content"]
        kind = next((kind for kind in documented if kind == media or (kind[-1] == "*" and media.startswith(kind[:-1]))), None)
        assert kind, f"{name}: answers {media}, documents {list(documented)}"
        if kind == "application/x-ndjson":
            lines = [json.loads(line) for line in data.splitlines()]
            for line in lines:
                self.check(documented[kind]["schema"], line, f"{name}: a line")
            return lines
        if kind != "application/json":
            return data
        value = json.loads(data)
        self.check(documented[kind]["schema"], value, f"{name}: {code}")
        if code != 200:
            assert value["error"]["code"] == code, data
        return value

    def form(self, request, **files):
        """A body of multipart/form-data, and its type: the request, and a file for each path of a field."""
        boundary = "0b2fd1e7c5a948d3"
        parts = [b'--%s\r\nContent-Disposition: form-data; name="request"\r\nContent-Type: application/json\r\n\r\n%s\r\n'
                 % (boundary.encode(), json.dumps(request).encode())]
        for path, content in files.items():
            parts.append(b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
                         % (boundary.encode(), path.encode()) + content + b"\r\n")
        return b"".join(parts) + b"--%s--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}"
