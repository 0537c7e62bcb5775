"""Where a declared row is, for messages: its file and line, the resource, its key."""

from collections.abc import Callable

from psycopg import sql

from seedframe.changes import key_text
from seedframe.database.declared import Shape
from seedframe.database.session import Session
from seedframe.database.source import Source


class Whereabouts:
    """Tells where the rows of one resource are declared.

    Args:
        place: where a line of the source is: "data/medications.csv:12".
        resource: the resource's name.
    """

    def __init__(self, session: Session, shape: Shape, place: Callable[[int], str], resource: str) -> None:
        self._session = session
        self._shape = shape
        self._place = place
        self._resource = resource

    def at(self, line: int, source: Source) -> str:
        """The row that is declared in this line: `data/medications.csv:12 (rows:medications, sku=SEMA-025)`."""
        place = self._place(line)
        of = [] if place.startswith(self._resource) else [self._resource]
        key = self._key(line, source)
        if key is not None:
            of.append(key)
        return f"{place} ({', '.join(of)})" if of else place

    def _key(self, line: int, source: Source) -> str | None:
        """Its key, less what of it is secret."""
        key = [declared for declared in self._shape.key if not declared.secret]
        if not key:
            return None
        row = self._session.first(
            sql.SQL("{}SELECT {} FROM {} WHERE d.line = {} LIMIT 1").format(
                source.prefix,
                sql.SQL(", ").join([sql.SQL("{}::text").format(declared.desired) for declared in key]),
                source.relation,
                sql.Literal(line),
            ),
            source.parameters or None,
        )
        return None if row is None else key_text({d.name: v for d, v in zip(key, row, strict=True)})
