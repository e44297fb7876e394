"""The form of an OpenAPI 3.0 document, as a JSON Schema of what this project's document uses.

It is stricter than the standard: a key that the standard allows and the document has no use for is refused too, so that a
slip of the generator is found. Written from the OpenAPI 3.0.3 text.
"""


def thing(required, optional=None, **more):
    """An object with these keys and no others."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": sorted(required),
            "additionalProperties": False, **more}


def at(name):
    return {"$ref": f"#/definitions/{name}"}


TEXT = {"type": "string", "minLength": 1}
ANY_TEXT = {"type": "string"}
BOOL = {"type": "boolean"}


def maps(to, keys=None):
    if keys is None:
        return {"type": "object", "additionalProperties": to}
    return {"type": "object", "patternProperties": {keys: to}, "additionalProperties": False}


OPERATION = thing(
    {"operationId": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}, "tags": {"type": "array", "items": TEXT},
     "summary": TEXT, "responses": {**maps(at("response"), "^([1-5][0-9][0-9]|default)$"), "required": ["200"]}},
    {"description": TEXT, "parameters": {"type": "array", "items": at("parameter"), "minItems": 1},
     "requestBody": thing({"content": at("content"), "required": BOOL}, {"description": TEXT})})

SCHEMA = {"oneOf": [
    thing({"$ref": {"type": "string", "pattern": "^#/components/schemas/[A-Za-z0-9._-]+$"}}),
    {"allOf": [{"not": {"required": ["$ref"]}}, thing({}, {
        "type": {"enum": ["object", "array", "string", "integer", "number", "boolean"]},
        "format": {"enum": ["int32", "int64", "uint64", "float", "double", "byte", "binary", "date-time", "field-mask"]},
        "description": TEXT, "example": {}, "enum": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "pattern": {"type": "string", "format": "regex"}, "minimum": {"type": "number"},
        "properties": maps(at("schema")), "items": at("schema"),
        "required": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "additionalProperties": {"anyOf": [BOOL, at("schema")]},
        "allOf": {"type": "array", "items": at("schema"), "minItems": 1},
        "anyOf": {"type": "array", "items": at("schema"), "minItems": 1}, "not": at("schema")})]}]}

DOCUMENT = thing(
    {"openapi": {"const": "3.0.3"},
     "info": thing({"title": TEXT, "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"}, "description": TEXT,
                    "license": thing({"name": TEXT, "url": TEXT})}),
     "servers": {"type": "array", "items": thing({"url": TEXT}), "minItems": 1},
     "security": {"type": "array", "items": maps({"type": "array", "items": TEXT})},
     "tags": {"type": "array", "items": thing({"name": TEXT, "description": TEXT})},
     "paths": maps(maps(at("operation"), "^(get|put|post|delete|patch)$"), "^/"),
     "components": thing({
         "schemas": maps(at("schema"), "^[A-Za-z0-9._-]+$"),
         "securitySchemes": maps(thing({"type": {"const": "http"}, "scheme": {"const": "bearer"}, "description": TEXT}))})},
    definitions={
        "operation": OPERATION,
        "parameter": thing({"name": TEXT, "in": {"enum": ["path", "query"]}, "description": TEXT, "schema": at("schema")},
                           {"required": {"const": True}}),
        "content": maps(at("media"), r"^[a-z]+/([a-z.+-]+|\*)$"),
        "media": thing({"schema": at("schema")}, {"encoding": maps(thing({"contentType": TEXT}))}),
        "response": thing({"description": TEXT}, {"content": at("content"), "headers": maps(at("header"))}),
        "header": thing({"description": TEXT, "schema": at("schema")}),
        "schema": SCHEMA,
    })
