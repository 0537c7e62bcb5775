"""What the installed distributions offer under our group of entry points: read from their metadata, broken or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import PurePath
from typing import Final

from packaging.utils import canonicalize_name

GROUP: Final = "seedframe"
# In capitals, Python takes them for the same.
_ENDINGS: Final = (".dist-info", ".egg-info", ".egg")


@dataclass(frozen=True, slots=True)
class Offer:
    """One distribution that offers seeds or extensions.

    Attributes:
        dist: the distribution.
        name: as its metadata spells it, or, where that cannot be read, its folder.
        version: None where it cannot be read.
        entry_points: of our group.
        wrong: why it is not to be believed, as the end of a sentence; None where nothing is wrong.
    """

    dist: Distribution
    name: str
    version: str | None
    entry_points: tuple[EntryPoint, ...]
    wrong: str | None = None


def offers() -> tuple[Offer, ...]:
    """Every installed distribution with entry points of our group.

    Of several with one name, in different folders of Python's path, the first is the one that is installed, as Python
    has it; in one folder, only one can be what was installed there, and none of them is believed. Neither is one whose
    folder is not called as its metadata says
    (https://packaging.python.org/en/latest/specifications/recording-installed-packages/): what another distribution
    brought along could take a name that is allowed.
    """
    found: dict[str, list[Offer]] = {}
    for dist in distributions():
        offer = _offer(dist)
        if offer is not None:
            found.setdefault(canonicalize_name(offer.name), []).append(offer)
    return tuple(offer for same in found.values() for offer in _believed(same))


def _believed(same: list[Offer]) -> Iterator[Offer]:
    """Of offers with one name: the one that counts, and those with which something is wrong."""
    right = [offer for offer in same if offer.wrong is None]
    yield from (offer for offer in same if offer.wrong is not None)
    if not right:
        return
    first, *others = right
    twice = [offer for offer in others if _place(offer.dist) == _place(first.dist)]
    if twice and _folder(first.dist) != _folder(twice[0].dist):
        names = " and ".join(sorted(_folder(offer.dist) for offer in (first, *twice)))
        first = Offer(first.dist, first.name, first.version, first.entry_points, f"is installed twice: {names}")
    yield first


def _offer(dist: Distribution) -> Offer | None:
    try:
        text = dist.read_text("entry_points.txt")
    except (OSError, UnicodeError):
        text = None
    if text is None or GROUP not in text:
        return None
    folder = _folder(dist)
    try:
        points = tuple(point for point in dist.entry_points if point.group == GROUP)
    except Exception:  # noqa: BLE001 - whatever the parser makes of it
        return Offer(dist, _stem(folder), None, (), "has entry points that cannot be read")
    if not points:
        return None
    name, version = _word(dist, "Name"), _word(dist, "Version")
    if name is None or version is None:
        return Offer(dist, _stem(folder), None, points, "has metadata without a name or a version")
    if folder.casefold().endswith(_ENDINGS) and canonicalize_name(_stem(folder)) != canonicalize_name(name):
        return Offer(dist, _stem(folder), None, points, f"calls itself {name} {version}, and its folder is {folder}")
    return Offer(dist, name, version, points)


def _word(dist: Distribution, key: str) -> str | None:
    """What the metadata says; None where it does not, or nothing that could be shown."""
    try:
        # Asking for what is not there warns from Python 3.12 on.
        value = next((dist.metadata[name] for name in dist.metadata if name.lower() == key.lower()), None)
    except (OSError, UnicodeError):
        return None
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def _folder(dist: Distribution) -> str:
    """The name of the folder that the metadata is in; empty where a distribution has none."""
    path = getattr(dist, "_path", None)
    if path is None:
        return ""
    metadata = PurePath(str(path))
    # An egg is named, and the folder in it is not.
    return metadata.parent.name if metadata.name.casefold() == "egg-info" else metadata.name


def _stem(folder: str) -> str:
    ending = next((ending for ending in _ENDINGS if folder.casefold().endswith(ending)), "")
    return folder[: len(folder) - len(ending)].partition("-")[0] or "(no name)"


def _place(dist: Distribution) -> str:
    return str(dist.locate_file(""))
