"""The order of seeds, their requirements and the selection: a table, and properties over all inputs."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe.errors import DiscoveryError, NoSeeds, RequirementMissing, UnknownSeed, UsageError
from seedframe.options import Selection
from seedframe.ordering import arrange, free_number, in_order, matching, missing_requirements, select
from seedframe.seed import Seed


def seed(label: str, *, order: int | None = None, requires: Sequence[str] = (), tags: Sequence[str] = ()) -> Seed:
    number, _, name = label.partition("_")
    return Seed(
        name=name,
        number=int(number) if order is None else order,
        label=label,
        origin=f"seeds/{label}.py",
        plugin=None,
        files=None,
        requires=tuple(requires),
        tags=frozenset(tags),
    )


def labels(seeds: Sequence[Seed]) -> list[str]:
    return [each.label for each in seeds]


@pytest.mark.parametrize(
    ("given_labels", "expected"),
    [
        (["100_c", "10_b", "9_a"], ["9_a", "10_b", "100_c"]),
        (["10_b", "10_a", "010_c"], ["10_a", "10_b", "010_c"]),
        (["00_core", "7_x", "070_y", "07_z"], ["00_core", "7_x", "07_z", "070_y"]),
    ],
)
@pytest.mark.trap("prefixes above 9 sorted as text", "numbers sort as numbers")
def test_numbers_sort_as_numbers_and_names_break_ties(given_labels: list[str], expected: list[str]) -> None:
    assert labels(in_order([seed(label) for label in given_labels])) == expected


def test_order_in_the_configuration_counts_instead_of_the_label() -> None:
    assert labels(in_order([seed("10_a"), seed("20_b", order=5)])) == ["20_b", "10_a"]


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("abcdefgh")), unique_by=lambda pair: pair[1]))
def test_the_order_does_not_depend_on_the_order_of_discovery(pairs: list[tuple[int, str]]) -> None:
    seeds = [seed(f"{number}_{name}") for number, name in pairs]
    ordered = in_order(seeds)
    assert ordered == in_order(reversed(seeds))
    assert [(each.number, each.name) for each in ordered] == sorted(pairs)


# -------------------------------------------------------------------------
# Requirements
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "message", "hint"),
    [
        (
            [seed("10_admin", requires=["core"]), seed("20_core")],
            "seed 10_admin requires 'core', which comes later (20_core)",
            "rename it to 30_admin, or set order = 30 under [seeds.admin] in seedframe.toml",
        ),
        (
            [seed("10_admin", requires=["core"]), seed("20_core"), seed("30_reference")],
            "seed 10_admin requires 'core', which comes later (20_core)",
            "rename it to 25_admin, or set order = 25 under [seeds.admin] in seedframe.toml",
        ),
        (
            [seed("10_admin", requires=["zcore"]), seed("10_zcore")],
            "seed 10_admin requires 'zcore', which comes later (10_zcore)",
            "rename it to 20_admin, or set order = 20 under [seeds.admin] in seedframe.toml",
        ),
        (
            [seed("30_admin", order=1, requires=["core"]), seed("20_core", order=2)],
            "seed 30_admin requires 'core', which comes later (20_core, order = 2)",
            "set order = 10 under [seeds.admin] in seedframe.toml",
        ),
        (
            [seed("10_admin", requires=["cor"]), seed("00_core")],
            "seed 10_admin requires 'cor', which does not exist",
            "did you mean 'core'?",
        ),
        (
            [seed("10_admin", requires=["00_core"]), seed("00_core")],
            "seed 10_admin requires '00_core', which does not exist",
            "write 'core': seeds are required by name",
        ),
        (
            [seed("10_admin", requires=["payments"]), seed("00_core")],
            "seed 10_admin requires 'payments', which does not exist",
            "no seed has that name",
        ),
        (
            [seed("10_a", requires=["a"])],
            "seed 10_a requires itself: a → a",
            "no order fits; take one of them out of REQUIRES",
        ),
        (
            [seed("10_a", requires=["c"]), seed("20_b", requires=["a"]), seed("30_c", requires=["b"])],
            "seed 10_a requires itself: a → c → b → a",
            "no order fits; take one of them out of REQUIRES",
        ),
    ],
)
def test_a_requirement_that_does_not_fit_breaks_its_seed(seeds: list[Seed], message: str, hint: str) -> None:
    broken = next(each.broken for each in arrange(seeds) if each.broken is not None)
    assert isinstance(broken, RequirementMissing)
    assert (broken.message, broken.hint) == (message, hint)
    assert broken.where is not None
    assert broken.where.startswith("seeds/")


def test_requirements_that_fit_break_nothing() -> None:
    seeds = [seed("00_core"), seed("10_admin", requires=["core"]), seed("10_b", requires=["admin", "core"])]
    assert [each.broken for each in arrange(seeds)] == [None, None, None]


def test_every_unfit_requirement_of_a_seed_is_told() -> None:
    arranged = arrange([seed("10_a", requires=["b", "nobody"]), seed("20_b")])
    assert arranged[0].broken is not None
    assert len(arranged[0].broken.problems) == 2


def test_what_broke_a_seed_before_is_kept() -> None:
    first = DiscoveryError("cannot be imported")
    arranged = arrange([replace(seed("10_a", requires=["nobody"]), broken=first)])
    assert arranged[0].broken is first


@st.composite
def acyclic(draw: st.DrawFn) -> list[Seed]:
    """Seeds with any numbers, whose requirements form no cycle."""
    names = draw(st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1))
    return [
        seed(
            f"{draw(st.integers(0, 60))}_{name}",
            requires=draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else (),
        )
        for at, name in enumerate(names)
    ]


@given(acyclic())
def test_following_the_advice_ends_in_an_order_that_fits(seeds: list[Seed]) -> None:
    for _ in range(len(seeds) ** 2 + 1):
        wrong = next((each for each in arrange(seeds) if each.broken is not None), None)
        if wrong is None:
            break
        number = free_number(wrong, seeds)
        assert f"order = {number} " in str(wrong.broken)
        seeds = [replace(each, number=number) if each.name == wrong.name else each for each in seeds]
    ordered = arrange(seeds)
    assert [each.broken for each in ordered] == [None] * len(seeds)
    place = {each.name: at for at, each in enumerate(ordered)}
    assert all(place[name] < place[each.name] for each in ordered for name in each.requires)


@pytest.mark.parametrize(
    ("chosen", "applied", "missing"),
    [
        (["core", "admin"], [], []),
        (["admin"], ["core"], []),
        (["admin"], [], ["core"]),
        (["reference"], ["admin"], ["core"]),
        (["reference"], [], ["core", "admin"]),
        (["core"], [], []),
    ],
)
def test_a_requirement_is_chosen_or_applied_before(chosen: list[str], applied: list[str], missing: list[str]) -> None:
    seeds = [seed("00_core"), seed("10_admin", requires=["core"]), seed("20_reference", requires=["core", "admin"])]
    problems = missing_requirements([each for each in seeds if each.name in chosen], seeds, applied)
    assert [problem.message.split("'")[1] for problem in problems] == missing
    assert all(f"seedframe apply {name}" in str(p) for p, name in zip(problems, missing, strict=True))


def test_a_requirement_that_cannot_be_chosen_here_says_why() -> None:
    seeds = [
        replace(seed("00_core"), enabled=False),
        replace(seed("05_demo"), environments=frozenset({"staging"})),
        seed("10_admin", requires=["core", "demo"]),
    ]
    disabled, elsewhere = missing_requirements(seeds[2:], seeds, ())
    assert "enabled = false" in str(disabled)
    assert "staging" in str(elsewhere)


# -------------------------------------------------------------------------
# Selection
# -------------------------------------------------------------------------

SEEDS = arrange(
    [
        seed("00_core"),
        seed("10_admin", tags=["people"]),
        seed("20_reference", tags=["catalogue", "slow"]),
        replace(seed("30_demo", tags=["people"]), environments=frozenset({"development"})),
        replace(seed("40_off"), enabled=False),
    ]
)


@pytest.mark.parametrize(
    ("selection", "env", "expected"),
    [
        (Selection(), "development", ["core", "admin", "reference", "demo"]),
        (Selection(), "production", ["core", "admin", "reference"]),
        (Selection(names=("reference",)), "production", ["reference"]),
        (Selection(names=("20_reference", "core")), "production", ["core", "reference"]),
        (Selection(tags=("people",)), "production", ["admin"]),
        (Selection(tags=("people", "slow")), "development", ["admin", "reference", "demo"]),
        (Selection(names=("core",), tags=("slow",)), "development", ["core", "reference"]),
        (Selection(skip=("core", "30_demo")), "development", ["admin", "reference"]),
        (Selection(names=("core", "admin"), skip=("admin",)), "development", ["core"]),
    ],
)
def test_selection(selection: Selection, env: str, expected: list[str]) -> None:
    assert [each.name for each in select(SEEDS, selection, env)] == expected


@pytest.mark.parametrize(
    ("selection", "kind", "text"),
    [
        (Selection(names=("refrence",)), UnknownSeed, "no seed is called 'refrence' (did you mean 'reference'?"),
        (Selection(names=("30_reference",)), UnknownSeed, "did you mean '20_reference'?"),
        (Selection(names=("zzz",)), UnknownSeed, "the seeds are core, admin, reference, demo, off"),
        (Selection(skip=("adminn",)), UnknownSeed, "did you mean 'admin'?"),
        (Selection(tags=("peopl",)), UnknownSeed, "no seed has the tag 'peopl' (did you mean 'people'?"),
        (Selection(names=("demo",)), UsageError, "seed 30_demo does not run in 'production' (it is for development"),
        (Selection(names=("off",)), UsageError, "seed 40_off is disabled"),
        (Selection(names=("core",), skip=("core",)), NoSeeds, "all that were chosen are skipped"),
    ],
)
def test_a_selection_that_does_not_fit_says_what_exists(
    selection: Selection, kind: type[DiscoveryError], text: str
) -> None:
    with pytest.raises(kind) as caught:
        select(SEEDS, selection, "production")
    assert text in str(caught.value)


def test_nothing_left_names_the_environment() -> None:
    with pytest.raises(NoSeeds, match="'staging'"):
        select([replace(seed("10_a"), environments=frozenset({"production"}))], Selection(), "staging")


def test_no_seeds_at_all() -> None:
    with pytest.raises(NoSeeds, match="no seeds found"):
        select([], Selection(), "development")


@given(
    st.lists(st.sampled_from([each.name for each in SEEDS])),
    st.lists(st.sampled_from(["people", "catalogue", "slow"])),
    st.lists(st.sampled_from([each.label for each in SEEDS])),
)
def test_what_is_chosen_keeps_the_order_and_has_a_reason(names: list[str], tags: list[str], skip: list[str]) -> None:
    chosen = matching(SEEDS, Selection(names=tuple(names), tags=tuple(tags), skip=tuple(skip)))
    assert list(chosen) == [each for each in SEEDS if each in chosen]
    for each in SEEDS:
        wanted = not (names or tags) or each.name in names or bool(each.tags & set(tags))
        assert (each in chosen) == (wanted and each.label not in skip)
