"""The document as a page for people: made here, whole, without a script and without anything from elsewhere."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
nav ul { columns: 3 14rem; padding-left: 1rem; }
section { border-top: 1px solid #8886; padding: .5rem 0; }
h3 { font-size: 1rem; margin: .5rem 0; overflow-wrap: anywhere; }
h3 b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #8884; padding: .2rem .5rem; text-align: left; vertical-align: top; }
pre { background: #8881; overflow-x: auto; padding: .5rem; }
code, pre { font: .875rem/1.4 ui-monospace, monospace; }
summary { cursor: pointer; }
"""

MAX_EXAMPLE = 3000


def page(document: Mapping[str, Any], codes: Mapping[str, tuple[int, bool, str]]) -> bytes:
    """Return the page.

    Args:
        document: of OpenAPI.
        codes: of problems: status, whether trying again helps, and what it means.
    """
    listed = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]  # fmt: skip
    groups = sorted({operation["tags"][0] for _, _, operation in listed})
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>onebook: addresses</title>",
        '<meta name=viewport content="width=device-width"><link rel=stylesheet href="/docs/style.css"></head><body>',
        f"<h1>onebook {_text(document['info']['version'])}</h1><p>{_text(document['info']['description'])}</p>",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p><nav><ul>',
        *(f'<li><a href="#{_text(group)}">{_text(group)}</a></li>' for group in (*groups, "Problems", "Schemas")),
        "</ul></nav><main>",
    ]
    for group in groups:
        parts.append(f'<h2 id="{_text(group)}">{_text(group)}</h2>')
        parts += [_operation(*item) for item in listed if item[2]["tags"][0] == group]
    parts += _problems(codes)
    parts.append('<h2 id="Schemas">Schemas</h2>')
    for name, schema in document["components"]["schemas"].items():
        parts.append(f'<details id="schema-{_text(name)}"><summary>{_text(name)}</summary>{_json(schema)}</details>')
    parts.append("</main></body></html>")
    return "\n".join(parts).encode()


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    name = operation["operationId"]
    parts = [
        f'<section id="{_text(name)}"><h3><b>{method.upper()}</b> <code>{_text(path)}</code></h3>',
        f"<p>{_text(operation['summary'])}</p>",
    ]
    if "description" in operation:
        parts.append(f"<p>{_text(operation['description'])}</p>")
    if operation["parameters"]:
        parts.append("<table><thead><tr><th>Parameter<th>Where<th>What</tr></thead><tbody>")
        for item in operation["parameters"]:
            must = " (needed)" if item.get("required") else ""
            parts.append(
                f"<tr><td><code>{_text(item['name'])}</code><td>{item['in']}{must}<td>{_text(item['description'])}</tr>"
            )
        parts.append("</tbody></table>")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        parts.append(f"<p>Body: {_linked(body['schema'])}</p>{_examples(body)}")
    for status, response in operation["responses"].items():
        contents = () if status.startswith(("4", "5")) else response.get("content", {}).values()
        parts += [f"<p>{status}: {_linked(item['schema'])}</p>{_examples(item)}" for item in contents]
    statuses = ", ".join(status for status in operation["responses"] if status.startswith(("3", "4", "5")))
    parts.append(f'<p>Else: {statuses}, see <a href="#Problems">problems</a>.</p></section>')
    return "".join(parts)


def _examples(content: Mapping[str, Any]) -> str:
    return "".join(
        f"<details><summary>{_text(name)}</summary>{_json(item['value'])}</details>"
        for name, item in content.get("examples", {}).items()
    )


def _linked(schema: Mapping[str, Any]) -> str:
    """Return the names of schemas as links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{_text(name)}">{_text(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_linked(item) for item in schema["anyOf"])
    if schema.get("type") == "array":
        return f"a list of {_linked(schema['items'])}"
    return _text(str(schema.get("type", "anything")))


def _problems(codes: Mapping[str, tuple[int, bool, str]]) -> list[str]:
    rows = [
        f'<tr id="{_text(code)}"><td><code>{_text(code)}</code><td>{status}<td>{"yes" if again else "no"}'
        f"<td>{_text(about)}</tr>"
        for code, (status, again, about) in codes.items()
    ]  # fmt: skip
    head = "<table><thead><tr><th>Code<th>Status<th>Try again<th>Meaning</tr></thead><tbody>"
    return ['<h2 id="Problems">Problems</h2>', head, *rows, "</tbody></table>"]


def _json(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    shown = text if len(text) <= MAX_EXAMPLE else text[:MAX_EXAMPLE] + "\n…"
    return f"<pre>{_text(shown)}</pre>"


def _text(value: str) -> str:
    return escape(value, quote=True)
