"""What came of a check of the audit trail, and the head of its chain, as people and programs read them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from seedframe.history import ChainCheck, ChainHead
from seedframe.report import SCHEMA_VERSION, utc_text
from seedframe.reporting.cells import visible
from seedframe.reporting.page import Line, Page, folded
from seedframe.reporting.signs import signs_for
from seedframe.reporting.words import plural

_HASH_LENGTH: Final = 64
_WITHOUT_HEAD: Final = "  that none is missing at the end is seen with --head, a head that was exported before"
_NEXT_STEP: Final = "  compare it with a backup of schema seedframe; apply and verify go on, they do not depend on it"


def check_lines(check: ChainCheck, page: Page) -> Iterator[Line]:
    """Whether the chain is whole, and what that was compared with."""
    signs = signs_for(page)
    fine = plural(check.head.position, "entry", "entries")
    if check.broken is not None:
        what = visible(check.broken.text, ascii_only=not page.unicode)
        yield from folded([(f"{signs.bad} ", "bad"), (what, "strong")], page, indent=2)
        if check.head.position:
            which = "before that" if check.broken.position is not None else "of the chain"
            yield [(f"  the {fine} {which} {'is' if check.head.position == 1 else 'are'} as made", "plain")]
        yield from folded([(_NEXT_STEP, "dim")], page, indent=2)
        return
    if not check.head.position:
        yield [("No entry is chained yet: the first run that changes something, or fails, makes one.", "plain")]
        if check.compared is None:
            yield from folded([(_WITHOUT_HEAD, "dim")], page, indent=2)
        return
    yield [(f"{signs.good} ", "good"), (f"{fine}, each as it was made", "strong")]
    yield [("  the last is ", "plain"), (check.head.hash or "", "dim")]
    if check.compared is not None:
        at = f"{check.compared.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield [(f"  entry {check.compared.position} is the one that was exported on {at}", "plain")]
    else:
        yield from folded([(_WITHOUT_HEAD, "dim")], page, indent=2)


def check_document(check: ChainCheck) -> dict[str, Any]:
    """The JSON document of a check."""
    broken = check.broken
    return {
        "schema": SCHEMA_VERSION,
        "command": "history",
        "check": {
            "ok": broken is None,
            "entries": check.head.position,
            "head": head_document(check.head),
            "compared": None if check.compared is None else head_document(check.compared),
            "broken": None
            if broken is None
            else {
                "kind": broken.kind,
                "position": broken.position,
                "run": broken.run,
                "seed": broken.seed,
                "text": broken.text,
            },
        },
    }


def head_document(head: ChainHead) -> dict[str, Any]:
    """The head of a chain."""
    return {
        "project": head.project,
        "schema": head.schema,
        "database": head.database,
        "position": head.position,
        "hash": head.hash,
        "at": utc_text(head.at),
    }


def head_line(head: ChainHead) -> str:
    """The same on one line."""
    return json.dumps(head_document(head)) + "\n"


def parse_head(text: str) -> ChainHead:
    """What `head_line` made. Errors: ValueError when it is none."""
    try:
        found = json.loads(text)
        texts = [found[name] for name in ("project", "schema", "database", "at")]
        position, hashed = found["position"], found["hash"]
        at = datetime.fromisoformat(found["at"])
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError("no head") from error
    whole = type(position) is int and position >= 0 and all(isinstance(each, str) for each in texts)
    linked = hashed is None if position == 0 else isinstance(hashed, str) and len(hashed) == _HASH_LENGTH
    if not (whole and linked):
        raise ValueError("no head")
    return ChainHead(project=texts[0], schema=texts[1], database=texts[2], position=position, hash=hashed, at=at)
