"""Names for what is made: fit for files, modules, tables and distributions, or an error that says what would be."""

import keyword
import re
import unicodedata
from typing import Final

from seedframe.errors import UsageError
from seedframe.loading.seed_names import SEED_NAME
from seedframe.scaffold.made import HIGHEST_NUMBER

_SEED: Final = re.compile(r"[a-z][a-z0-9_]*")
_TOPIC: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST: Final = 50
_PREFIX: Final = "seedframe"


def seed_name(given: str, number: int | None) -> tuple[str, int | None]:
    """A seed's name, and its number, where one stands before the name or was given.

    Errors: UsageError.
    """
    match = SEED_NAME.fullmatch(given)
    if match is not None:
        own = int(match["number"])
        if number is not None and number != own:
            raise UsageError(f"{given!r} has the number {own}, and --number says {number}", hint="give one of them")
        if own > HIGHEST_NUMBER:
            raise UsageError(
                f"{given!r} has the number {own}, and {HIGHEST_NUMBER} is the highest",
                hint="give a lower one, or only the name",
            )
        given, number = match["name"], own
    _require(given, _SEED, "a seed", "_")
    return given, number


def topic_name(given: str) -> str:
    """The topic of a plugin, as distributions are called: words with hyphens. Errors: UsageError."""
    if re.match(rf"{_PREFIX}(?![a-z0-9])", given.lower()):
        topic = _near(given[len(_PREFIX) :], "-") or "countries"
        raise UsageError(f"{given!r} begins with what every plugin's name does", hint=f"give the topic: {topic}")
    _require(given, _TOPIC, "a plugin's topic", "-")
    return given.replace("_", "-")


def _require(given: str, pattern: re.Pattern[str], what: str, joint: str) -> None:
    if not pattern.fullmatch(given):
        near = _near(given, joint)
        allowed = "letters a to z, digits and " + ("_" if joint == "_" else "hyphens") + ", a letter first"
        raise UsageError(
            f"{given!r} is no name for {what}", hint=f"{allowed}: {near}" if near else f"{allowed}: countries"
        )
    if keyword.iskeyword(given) or given in keyword.softkwlist:
        raise UsageError(
            f"{given!r} is a word of Python, and no name for {what}", hint=f"add a word: {given}{joint}data"
        )
    if given.startswith("pg" + joint):
        raise UsageError(
            f"{given!r} is no name for {what}: PostgreSQL's own tables begin with pg_",
            hint=f"give another: {given[3:]}",
        )
    if len(given) > _LONGEST:
        raise UsageError(f"a name for {what} has {_LONGEST} characters at most", hint="give a shorter one")


def _near(given: str, joint: str) -> str:
    """The nearest name that would do; empty where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", given.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", joint, plain).strip(joint).lstrip("0123456789" + joint)
