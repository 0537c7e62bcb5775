"""The order of seeds as extensions want it."""

from collections.abc import Sequence

from seedframe.configuration.config import Config
from seedframe.errors import DiscoveryError, SeedframeError
from seedframe.plugins.contributions import guarded
from seedframe.plugins.manager import SeedManager
from seedframe.seed import Seed


def modified_order(
    seeds: Sequence[Seed], plugins: SeedManager, config: Config
) -> tuple[tuple[Seed, ...], tuple[DiscoveryError, ...]]:
    """The seeds in the order that `seedframe_modify_order` leaves them in, and what is wrong with that.

    Each extension sees what the one before left. Where one fails, or leaves other seeds than it was given, its order
    does not count.
    """
    order = tuple(seeds)
    problems: list[DiscoveryError] = []
    for name in plugins.implementing("seedframe_modify_order"):
        wanted = [seed.unshared() for seed in order]
        given = {id(shown): seed for shown, seed in zip(wanted, order, strict=True)}
        kept = tuple(wanted)  # so that no other object is given one of their ids
        try:
            guarded(plugins, name, "seedframe_modify_order", seeds=wanted, config=config)
            if len(wanted) != len(kept) or {id(seed) for seed in wanted} != given.keys():
                raise DiscoveryError(
                    f"{plugins.called(name)}: `seedframe_modify_order` left other seeds than it was given",
                    hint="reorder the list in place; to leave a seed out, set [seeds.NAME] enabled = false",
                )
        except SeedframeError as error:
            problem = error.problems[0]
            problems.append(DiscoveryError(problem.message, hint=problem.hint, where=problem.where))
            continue
        order = tuple(given[id(seed)] for seed in wanted)
    return order, tuple(problems)
