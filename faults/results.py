"""The results file: one line a row; a row counts as done while neither the code that judged it nor its Celery has changed."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faults.rows import Row
from faults.stage import ROOT

Result = dict[str, Any]
FILE = ROOT / "data" / "faults" / "results.jsonl"
_NO_MATTER = ("web", "cli", "demo", "client", "contrib")
"""Parts of Celeriac that take no part in a verdict or a remedy."""

_ABOUT = ("__main__", "disturbances", "figures", "fleet", "leaks", "ledger", "matrix", "page", "results", "soak")
"""What runs rows and shows them, and what is the soak's."""


def digest(row: Row) -> str:
    """Return what a result of this row depends on, as one word."""
    found = hashlib.sha256()
    product = ROOT / "src" / "celeriac"
    files = [one for one in product.rglob("*.py") if one.relative_to(product).parts[0] not in _NO_MATTER]
    files += [one for one in (ROOT / "faults").glob("*.py") if one.stem not in _ABOUT]
    files.append(ROOT / "requirements" / f"celery-{row.celery}.txt")
    for path in sorted(files):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


class Results:
    """What is known of rows; each new result is appended at once."""

    def __init__(self, path: Path = FILE) -> None:
        self._path = path
        self._known: dict[str, Result] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                found = json.loads(line)
                self._known[found["id"]] = found

    def done(self, row: Row, today: str) -> bool:
        """Tell whether the row has a result of this code; one that could not run is tried again."""
        found = self._known.get(row.id)
        return bool(found) and found["digest"] == today and not found.get("missing")

    def add(self, result: Result) -> None:
        """Keep a result."""
        self._known[result["id"]] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as out:
            out.write(json.dumps(result) + "\n")

    def of(self, rows: Iterable[Row]) -> list[Result | None]:
        """Return the newest result of each row, None where there is none."""
        return [self._known.get(row.id) for row in rows]
