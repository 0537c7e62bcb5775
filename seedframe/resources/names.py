"""The columns that a `Rows` names, held against the fields of its rows."""

from collections.abc import Collection, Iterator

from seedframe.errors import DeclarationError, did_you_mean
from seedframe.resources.rows_spec import RowsSpec
from seedframe.resources.values import Column


def misnamed(
    spec: RowsSpec, fields: Collection[str], columns: Collection[str] | None = None
) -> Iterator[DeclarationError]:
    """Each name in key=, initial=, ignore= and secret= that the rows do not have, and each column declared twice.

    Args:
        spec: what was declared.
        fields: of the rows.
        columns: of the table, any of which may be ignored; None where there is no table to look at: then a name in
            ignore= is taken for one of them, unless it is nearly that of a field.
    """
    available = {*fields, *spec.refs, *spec.given}
    for what, names in (("key", spec.key), ("initial", spec.initial), ("ignore", spec.ignore), ("secret", spec.secret)):
        for name in names:
            if name in available:
                continue
            near = did_you_mean(name, sorted(available))
            if what == "ignore" and (name in columns if columns is not None else near is None):
                continue
            yield DeclarationError(
                f"{what}= names {name!r}, which the rows do not have",
                hint=near or f"the rows have {', '.join(fields)}",
                where=spec.name,
                kind="unknown-column",
                about=name,
            )
    for name in (*spec.refs, *spec.given):
        if name in fields:
            yield DeclarationError(
                f"column {name!r} is declared twice", where=spec.name, kind="unknown-column", about=name
            )


def absent_fields(spec: RowsSpec, fields: Collection[str]) -> Iterator[DeclarationError]:
    """Each `column()` in refs= that is no field of the rows."""
    for looked_up in spec.refs.values():
        for part in looked_up.key.values():
            if isinstance(part, Column) and part.name not in fields:
                yield no_field(part.name, fields, spec.name)


def no_field(name: str, fields: Collection[str], where: str) -> DeclarationError:
    """What is said of a `column()` that is no field of the rows."""
    return DeclarationError(
        f"column({name!r}) is no field of the rows",
        hint=did_you_mean(name, fields) or f"the rows have {', '.join(fields)}",
        where=where,
        kind="unknown-column",
        about=name,
    )
