"""Reading named queries from ``.sql`` files: ``-- name: x``, a line that says what it does, one statement."""

from importlib.resources import files


def statements(package: str, name: str) -> dict[str, str]:
    """Return the statements of a file by their names, in its order."""
    text = files(package).joinpath(name).read_text("utf-8")
    found: dict[str, str] = {}
    for part in text.split("-- name: ")[1:]:
        title, _, rest = part.partition("\n")
        lines = [line for line in rest.splitlines() if not line.startswith("--")]
        found[title.strip()] = "\n".join(lines).strip().rstrip(";")
    return found
