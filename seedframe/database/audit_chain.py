"""The chain of the audit trail: the canonical text of an entry, its hash, and what is wrong where a link is broken.

The form is described in docs/ledger.md, so that anyone can compute it with other tools. A change of it is another FORM.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from seedframe.history import Broken, ChainHead

FORM: Final = 1

RUN_FACTS: Final = (
    "id", "project", "schema", "env", "command", "mode", "version", "role", "os_user", "host", "address", "revision",
    "arguments", "started_at",
)  # fmt: skip
"""What a run was started as: the members of its text."""

ENTRY_FACTS: Final = (
    "form", "project", "schema", "position", "previous_hash", "run_digest", "rows_digest", "seed", "origin", "status",
    "created", "updated", "deleted", "unchanged", "duration_s", "code_digest", "data_digest", "resources", "error",
    "recorded_at",
)  # fmt: skip
"""The members of an entry's text."""

ROW_FACTS: Final = ("number", "resource", "action", "key", "columns")
"""The members of a changed row's text."""


def canonical(value: Any) -> str:
    """A value as the one JSON text that RFC 8785 has for it: no blanks, members sorted by UTF-16 code units."""
    return json.dumps(_in_order(value), ensure_ascii=False, separators=(",", ":"))


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _in_order(value[name]) for name in names}
    if isinstance(value, list | tuple):
        return [_in_order(item) for item in value]
    return value


def digest(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return sha256(canonical(facts).encode("utf-8", "surrogatepass")).hexdigest()


class RowsDigest:
    """SHA-256 of changed rows: of the canonical text of each and a line feed, in the order of their numbers."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, row: Mapping[str, Any]) -> None:
        """The next row, with the members that ROW_FACTS names."""
        text = canonical({name: row[name] for name in ROW_FACTS})
        self._hash.update(f"{text}\n".encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        """In hexadecimal."""
        return self._hash.hexdigest()


def run_digest(run: Mapping[str, Any]) -> str:
    """The digest of what a run was started as."""
    return digest({name: run[name] for name in RUN_FACTS})


def entry_hash(entry: Mapping[str, Any]) -> str:
    """The hash of an entry, from the values that the ledger has of it."""
    return digest({name: entry[name] for name in ENTRY_FACTS})


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the ledger has it, beside what its run and its changed rows come to by now.

    Attributes:
        run: the number of its run.
        facts: what ENTRY_FACTS names, as stored.
        hash: as stored.
        run_digest: of its run as it is by now; None when that is gone.
        rows_digest: of its changed rows as they are by now.
    """

    run: int
    facts: Mapping[str, Any]
    hash: str | None
    run_digest: str | None
    rows_digest: str

    @property
    def position(self) -> int:
        """Its place in the chain, from 1."""
        return int(self.facts["position"])

    @property
    def name(self) -> str:
        """For messages."""
        return f"entry {self.position} (run {self.run}, seed {self.facts['seed']})"


class Inspection:
    """Goes along a chain, link by link, until one does not fit.

    Args:
        head: what was exported at some time and kept elsewhere, if anything.
    """

    def __init__(self, head: ChainHead | None = None) -> None:
        self._head = head
        self._last_hash: str | None = None
        self.entries = 0

    @property
    def last_hash(self) -> str | None:
        """The hash of the last entry that fits."""
        return self._last_hash

    def look(self, link: Link) -> Broken | None:
        """Whether the next link fits; None when it does."""
        broken = self._gap(link) or self._misfit(link)
        if broken is None:
            self.entries, self._last_hash = link.position, link.hash
        return broken

    def end(self) -> Broken | None:
        """Whether the chain goes on as far as it did; None when nothing is known to be missing."""
        if self._head is None or self._head.position <= self.entries:
            return None
        return _gone(self.entries + 1, self._head.position, ", which the exported head has")

    def _gap(self, link: Link) -> Broken | None:
        if link.position > self.entries + 1:
            return _gone(self.entries + 1, link.position - 1)
        if link.position <= self.entries:
            return _broken("order", link, "stands where no entry was ever made")
        return None

    def _misfit(self, link: Link) -> Broken | None:
        if entry_hash(link.facts) != link.hash or link.facts["form"] != FORM:
            moved = link.facts["previous_hash"] != self._last_hash and (
                entry_hash({**link.facts, "previous_hash": self._last_hash}) != link.hash
            )
            if moved:
                return _broken("order", link, "was edited, or stands in the place of another")
            return _broken("edited", link, "was edited")
        if link.facts["previous_hash"] != self._last_hash:
            return _broken("order", link, "does not follow the entry before it: that was made anew")
        if link.run_digest is None:
            return _broken("run", link, f"has lost its run: run {link.run} is gone")
        if link.run_digest != link.facts["run_digest"]:
            return _broken("run", link, f"was made by another run: run {link.run} was edited")
        if link.rows_digest != link.facts["rows_digest"]:
            return _broken("rows", link, "has other changed rows than were entered")
        if self._head is not None and link.position == self._head.position and link.hash != self._head.hash:
            return _broken("rewritten", link, "is not the one that the exported head has: the chain was made anew")
        return None


def _broken(kind: Literal["edited", "order", "run", "rows", "rewritten"], link: Link, what: str) -> Broken:
    return Broken(kind, link.position, link.run, str(link.facts["seed"]), f"{link.name} {what}")


def _gone(first: int, last: int, which: str = "") -> Broken:
    what = f"entry {first} is gone" if first == last else f"entries {first} to {last} are gone"
    return Broken("gone", first, None, None, what + which)
