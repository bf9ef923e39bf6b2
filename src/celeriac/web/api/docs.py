"""The API's description for people: a plain page made of the OpenAPI document, which needs no script at all."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from celeriac.web.pages.templating import render

router = APIRouter(prefix="/api")


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """Show every operation and every schema."""
    document = request.app.openapi()
    operations = [
        {"description": "", "parameters": [], **operation, "path": path, "method": method.upper()}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = {name: _fields(schema) for name, schema in document["components"]["schemas"].items()}
    context = {"info": document["info"], "operations": operations, "schemas": schemas, "kind": kind}
    return render(request, "docs.html", context)


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": schema.get("description", ""), "fields": schema.get("properties", {}), "kind": kind(schema)}


def kind(schema: dict[str, Any]) -> str:
    """Return a schema in one line: `text`, `list of Task`, `number or nothing`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "nothing"}
    name = str(schema.get("type", "anything"))
    return words.get(name, name)
