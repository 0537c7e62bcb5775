"""Settings: how they are declared, read, converted and described; and that no secret is ever shown."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seedframe import Secret, Setting
from seedframe.configuration.settings import Settings, declaration_problems, describe, resolve
from seedframe.errors import ConfigError, SeedframeError
from seedframe.secrets import MASK

CANARY = "canary-7f3a"


def mistakes(settings: list[Setting], variables: Mapping[str, str], **options: Any) -> list[str]:
    """The lines of the error that `resolve` ends in; no secret is in it."""
    with pytest.raises(ConfigError) as caught:
        resolve(settings, variables, **options)
    assert CANARY not in f"{caught.value}{caught.value!r}"
    return str(caught.value).splitlines()


# Declaring


@pytest.mark.parametrize("name", ["", "1A", "A B", "A-B", "É", "A\n"])
def test_a_name_is_a_variables_name(name: str) -> None:
    with pytest.raises(ValueError, match="a name has letters, digits and _, and begins with no digit"):
        Setting(name)


@pytest.mark.parametrize("kind", [list, bytes, None, "str"])
def test_a_type_is_one_of_five(kind: Any) -> None:
    with pytest.raises(ValueError, match="the type is one of str, int, float, bool, Secret"):
        Setting("A", kind)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (str, 1),
        (int, "1"),
        (int, True),
        (int, 1.0),
        (float, "1"),
        (float, True),
        (float, 10**400),
        (bool, 1),
        (Secret, 1),
        (str, Secret("x")),
    ],
)
def test_a_default_fits_its_type(kind: type, default: Any) -> None:
    with pytest.raises(ValueError, match="the default is not"):
        Setting("A", kind, default=default)


def test_defaults_are_kept_as_their_type() -> None:
    assert Setting("A", float, default=1).default == 1.0
    assert type(Setting("A", float, default=1).default) is float
    assert Setting("A", Secret, default=CANARY).default == Secret(CANARY)
    assert CANARY not in repr(Setting("A", Secret, default=CANARY))
    assert Setting("A", default=None).default is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"choices": "ab"}, "the choices are not a list with something in it"),
        ({"choices": ()}, "the choices are not a list with something in it"),
        ({"choices": {"a"}}, "the choices are not a list with something in it"),
        ({"choices": ["a", 1]}, "a choice is not a text"),
        ({"choices": ["a", None]}, "a choice is not a text"),
        ({"choices": ["a", "a"]}, "a choice stands there twice"),
        ({"choices": ["a", " b"]}, "a choice has blanks around it"),
        ({"choices": ["a", ""]}, "a choice is empty, which counts as not set"),
        ({"choices": ["a", "b"], "default": "c"}, "the default is none of the choices"),
        ({"type": int, "choices": [1, True]}, "a choice is not a whole number"),
        ({"type": Secret, "choices": ["a"]}, "a secret has no choices: they would stand in the code"),
        ({"parse": "int"}, "parse is not a function"),
        ({"parse": int, "default": "x"}, "the default: invalid literal for int"),
        ({"parse": [].index, "default": "x"}, "the default: "),
        ({"parse": {}.__getitem__, "default": "x"}, "the default cannot be read: its parse function raised KeyError"),
        ({"parse": int, "default": 5}, "the default is not a text, nor None"),
        ({"help": None}, "the help is not a text"),
    ],
)
def test_choices_function_and_help_fit(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Setting("A", **options)
    assert str(caught.value).startswith("Setting('A'): ")
    assert caught.value.__cause__ is None


def test_a_secret_default_that_cannot_be_parsed_is_not_shown() -> None:
    def refuse(secret: Secret) -> None:
        raise ValueError(secret.reveal())

    with pytest.raises(ValueError, match=r"^Setting\('A'\): the default does not fit$"):
        Setting("A", Secret, default=CANARY, parse=refuse)


def test_required_and_secret() -> None:
    assert Setting("A").required
    assert not Setting("A", default=None).required
    assert Setting("A", Secret).secret
    assert not Setting("A", str).secret


# Reading


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (str, " as it is ", " as it is "),
        (int, "42", 42),
        (int, " -7 ", -7),
        (int, "+007", 7),
        (float, "1", 1.0),
        (float, "-.5e3", -500.0),
        (float, "2.", 2.0),
        *((bool, word, True) for word in ("true", "YES", "on", " 1 ")),
        *((bool, word, False) for word in ("False", "no", "off", "0")),
        (Secret, " p@ss\n", Secret(" p@ss\n")),
    ],
)
def test_values_are_converted(kind: type, text: str, value: Any) -> None:
    found = resolve([Setting("A", kind)], {"A": text})["A"]
    assert found == value
    assert type(found) is kind


@pytest.mark.parametrize(
    ("kind", "choices", "text", "value"),
    [
        (str, ["admin", "support"], "support", "support"),
        (str, ["admin", "two words"], " two words\r\n", "two words"),
        (int, (1, 2), " 2 ", 2),
        (float, [1, 2.5], "1.0", 1.0),
        (bool, [True], "yes", True),
    ],
)
def test_one_of_the_choices(kind: type, choices: Any, text: str, value: Any) -> None:
    found = resolve([Setting("A", kind, choices=choices)], {"A": text})["A"]
    assert (found, type(found)) == (value, kind)
    assert Setting("A", kind, choices=choices).choices == tuple(choices)


@pytest.mark.parametrize(
    ("kind", "choices", "text", "line"),
    [
        (str, ["admin", "support"], "suport", "environment: A is none of admin, support (did you mean 'support'?)"),
        (str, ["admin", "support"], "ADMIN", "environment: A is none of admin, support (did you mean 'admin'?)"),
        (str, ["admin", "support"], CANARY, "environment: A is none of admin, support"),
        (int, [1, 2], "3", "environment: A is none of 1, 2"),
        (int, [1, 2], "one", "environment: A is not a whole number"),
        (bool, [True], "no", "environment: A is none of true"),
    ],
)
def test_none_of_the_choices(kind: type, choices: Any, text: str, line: str) -> None:
    assert mistakes([Setting("A", kind, choices=choices)], {"A": text}) == [line]


def words(text: str) -> list[str]:
    """A list of words, as a seed's own function reads it."""
    found = text.split()
    if len(found) < 2:
        raise ValueError("one word is too few")
    return found


def test_a_value_is_parsed_after_it_is_converted_and_so_is_a_default() -> None:
    settings = [
        Setting("A", parse=words),
        Setting("B", default="c d", parse=words),
        Setting("C", default=None, parse=words),
        Setting("D", int, choices=[1, 2], default=2, parse=lambda number: number * 10),
        Setting("E", Secret, parse=lambda secret: secret.reveal().split(":")),
    ]
    found = resolve(settings, {"A": "a b", "E": f"x:{CANARY}"})
    assert dict(found) == {"A": ["a", "b"], "B": ["c", "d"], "C": None, "D": 20, "E": ["x", CANARY]}
    again = resolve(settings, {"A": "a b", "E": f"x:{CANARY}"})
    assert again["B"] is not found["B"], "a seed that changes its value would change another run's"


def test_what_is_parsed_from_a_secret_is_masked_as_the_secret_is() -> None:
    found = resolve([Setting("E", Secret, parse=lambda secret: [secret.reveal()])], {"E": CANARY})
    assert found["E"] == [CANARY]
    assert repr(found) == f"Settings(E=Secret('{MASK}'))"
    assert found.secrets == (CANARY,)


def failing(error: BaseException) -> Any:
    """A function that raises."""

    def fail(value: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one word\nis too few"), "environment: A: one word is too few"),
        (ValueError(f"{CANARY!r} is no word"), f"environment: A: '{MASK}' is no word"),
        (ValueError(CANARY), f"environment: A: {MASK}"),
        (ValueError(), "environment: A: it does not fit"),
        (ValueError("long " * 200), "environment: A: " + "long " * 60),
        (SeedframeError("entry 1 is empty", hint="write it"), "environment: A: entry 1 is empty (write it)"),
        *(
            (
                error,
                (
                    f"environment: A cannot be read: its parse function raised {type(error).__name__} "
                    "(it is to raise ValueError for what does not fit)"
                ),
            )
            for error in (KeyError(CANARY), TypeError(CANARY), SystemExit(CANARY))
        ),
    ],
)
def test_what_a_function_refuses_is_told_in_one_line_without_the_value(error: BaseException, line: str) -> None:
    assert mistakes([Setting("A", parse=failing(error))], {"A": CANARY}) == [line]
    assert mistakes([Setting("A", Secret, parse=failing(error))], {"A": CANARY}) == ["environment: A does not fit"]


def test_nothing_of_what_a_function_raised_is_left_in_the_error() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve([Setting("A", Secret, parse=failing(KeyError(CANARY)))], {"A": CANARY})
    seen: BaseException | None = caught.value
    while seen is not None:
        assert CANARY not in f"{seen!r}"
        seen = seen.__cause__ or seen.__context__


@pytest.mark.parametrize(
    ("setting", "fits"),
    [
        (Setting("A"), False),
        (Setting("A", Secret), False),
        (Setting("A", Secret, default=None), False),
        (Setting("A", default=None), True),
        (Setting("A", default=","), True),
    ],
)
def test_nothing_but_blanks(setting: Setting, fits: bool) -> None:
    for text in (" ", " \r\n", "\u00a0"):
        if fits:
            assert resolve([setting], {"A": text})["A"] == text
        else:
            assert mistakes([setting], {"A": text}) == ["environment: A is blank (write the value, or nothing at all)"]


@given(st.integers())
@example(10**999)
def test_any_whole_number_is_read(number: int) -> None:
    assert resolve([Setting("A", int)], {"A": f"{number}"})["A"] == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_read(number: float) -> None:
    assert resolve([Setting("A", float)], {"A": repr(number)})["A"] == number


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        *((int, text, "environment: A is not a whole number") for text in ("1.0", "1_000", "٣", "x", "9" * 5000, " ")),
        *((float, text, "environment: A is not a number") for text in ("nan", "inf", "1,5", "1e999", "0x1", "٣")),
        (bool, "maybe", "environment: A is not true or false (true, yes, on, 1 or false, no, off, 0)"),
    ],
)
def test_values_that_do_not_fit(kind: type, text: str, line: str) -> None:
    assert mistakes([Setting("A", kind)], {"A": text}) == [line]


@given(st.sampled_from([int, float, bool]), st.text(st.characters(blacklist_categories=["Cs"])))
def test_a_mistake_never_shows_the_value(kind: type, text: str) -> None:
    [line] = mistakes([Setting("A", kind)], {"A": CANARY + text})
    assert line.startswith("environment: A is not ")


def test_defaults_stand_in_for_what_is_not_set_or_empty() -> None:
    settings = [Setting("A", int, default=5), Setting("B", Secret, default=None), Setting("C", default="")]
    assert dict(resolve(settings, {"A": "", "B": ""})) == {"A": 5, "B": None, "C": ""}


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    settings = [
        Setting("SECRET_ONE", Secret),
        Setting("PORT", int, help="where it listens"),
        Setting("NEEDED", help="the name of the clinic"),
        Setting("TWICE", Secret),
        Setting("FINE", default="x"),
        Setting("GONE", Secret, default=None),
    ]
    variables = {"PORT": CANARY, "TWICE": CANARY, "TWICE_FILE": CANARY, "GONE_FILE": "gone"}
    assert mistakes(settings, variables, sources={"PORT": ".env"}, root=tmp_path, seed="admin") == [
        "seed 'admin': SECRET_ONE is not set (set it in the environment or in .env, or set SECRET_ONE_FILE)",
        ".env: PORT is not a whole number (where it listens)",
        (
            "seed 'admin': NEEDED is not set (set it (the name of the clinic) in the environment or in .env, "
            "or set NEEDED_FILE)"
        ),
        "environment: TWICE and TWICE_FILE are both set (unset one of the two)",
        (
            f"GONE_FILE={tmp_path / 'gone'}: the file cannot be read: No such file or directory "
            "(GONE_FILE names a file that holds the value)"
        ),
    ]


def test_values_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(f"{CANARY} \n")
    (tmp_path / "port").write_text("5\n")
    settings = [Setting("P", Secret), Setting("N", int)]
    variables = {"P_FILE": str(tmp_path / "password"), "N_FILE": "port"}
    found = resolve(settings, variables, root=tmp_path)
    assert (found["P"], found["N"]) == (Secret(f"{CANARY} "), 5)
    monkeypatch.chdir(tmp_path)
    assert resolve(settings, variables)["N"] == 5


def test_a_home_folder_in_a_files_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_text("y")
    assert resolve([Setting("A")], {"A_FILE": "~/x"})["A"] == "y"


def test_the_environment_beats_dotenv_across_name_and_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from file")
    variables = {"A": "direct", "A_FILE": "file"}
    setting = [Setting("A")]
    assert resolve(setting, variables, {"A": ".env"}, root=tmp_path)["A"] == "from file"
    assert resolve(setting, variables, {"A_FILE": ".env"}, root=tmp_path)["A"] == "direct"
    [line] = mistakes(setting, variables, sources={"A": ".env", "A_FILE": ".env"}, root=tmp_path)
    assert line == ".env: A and A_FILE are both set (unset one of the two)"


# The mapping that hooks are given


def test_settings_are_a_read_only_mapping() -> None:
    settings = Settings({"A": 1, "B": None}, "admin")
    assert (dict(settings), len(settings), "A" in settings, "C" in settings) == ({"A": 1, "B": None}, 2, True, False)
    assert (settings.get("A"), settings.get("B"), settings.get("B", 5)) == (1, None, 5)
    with pytest.raises(TypeError):
        settings["A"] = 2  # type: ignore[index]


def test_an_undeclared_name_is_an_error_that_helps() -> None:
    settings = Settings({"SEED_ADMIN_EMAIL": "x"}, "admin")
    for read in (settings.__getitem__, settings.get):
        with pytest.raises(ConfigError) as caught:
            read("SEED_ADMIN_EMIAL")
        assert str(caught.value) == (
            "seed 'admin' has no setting 'SEED_ADMIN_EMIAL' (did you mean 'SEED_ADMIN_EMAIL'?)"
        )
    with pytest.raises(ConfigError) as caught:
        Settings({})["X"]
    assert str(caught.value) == "the seed has no setting 'X' (declare it in SETTINGS)"


def test_secrets_are_masked_in_settings() -> None:
    settings = resolve([Setting("A", Secret), Setting("B")], {"A": CANARY, "B": "shown"})
    assert repr(settings) == f"Settings(A=Secret('{MASK}'), B='shown')"
    assert CANARY not in f"{settings} {dict(settings)}"
    with pytest.raises(TypeError):
        json.dumps(dict(settings))


# Describing

DECLARED = [
    (
        "admin",
        [
            Setting("EMAIL", default="a@example.com", help="who"),
            Setting("PASSWORD", Secret, default=CANARY),
            Setting("ON", bool, default=True),
            Setting("NOTHING", default=None),
            Setting("RATE", float),
            Setting("PORT", int),
        ],
    ),
    ("mail", [Setting("EMAIL", default="a@example.com"), Setting("RATE", float, default=0.5)]),
]


def test_each_variable_is_described(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    found = describe(
        DECLARED,
        {"EMAIL": "x", "PASSWORD_FILE": "secret", "PORT": "http"},
        {"EMAIL": ".env"},
        root=tmp_path,
    )
    assert [
        (entry.name, entry.type, entry.required, entry.secret, entry.default, entry.state, entry.source, entry.seeds)
        for entry in found
    ] == [
        ("EMAIL", "str", False, False, "a@example.com", "set", ".env", ("admin", "mail")),
        ("PASSWORD", "Secret", False, True, MASK, "set", f"file {tmp_path / 'secret'}", ("admin",)),
        ("ON", "bool", False, False, "true", "default", None, ("admin",)),
        ("NOTHING", "str", False, False, None, "default", None, ("admin",)),
        ("RATE", "float", True, False, None, "missing", None, ("admin",)),
        ("PORT", "int", True, False, None, "invalid", "environment", ("admin",)),
        ("RATE", "float", False, False, "0.5", "default", None, ("mail",)),
    ]
    assert found[0].help == "who"
    assert CANARY not in repr(found)
    assert [str(entry.problem) for entry in found if entry.problem is not None] == [
        "seed 'admin': RATE is not set (set it in the environment or in .env, or set RATE_FILE)",
        "environment: PORT is not a whole number",
    ]


def test_choices_files_and_odd_values_are_described(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f" {CANARY}")
    settings = [
        Setting("ROLE", choices=["admin", "support"], default="admin"),
        Setting("ON", bool, choices=[True]),
        Setting("PASSWORD", Secret),
        Setting("NAME"),
        Setting("WORDS", parse=words),
    ]
    variables = {"ON": "no", "PASSWORD_FILE": "secret", "NAME": "Ada\n", "WORDS": " a b ", "ROLE": " support"}
    found = describe([("a", settings), ("b", settings)], variables, root=tmp_path)
    assert [(entry.name, entry.state, entry.choices, entry.file, entry.seeds) for entry in found] == [
        ("ROLE", "set", ("admin", "support"), None, ("a", "b")),
        ("ON", "invalid", ("true",), None, ("a", "b")),
        ("PASSWORD", "set", None, tmp_path / "secret", ("a", "b")),
        ("NAME", "set", None, None, ("a", "b")),
        ("WORDS", "set", None, None, ("a", "b")),
    ]
    advice = "has blanks or line breaks around it, which are part of its value (take them away, unless they are meant)"
    assert [str(warning) for entry in found for warning in entry.warnings] == [
        f"file {tmp_path / 'secret'}: PASSWORD {advice}",
        f"environment: NAME {advice}",
    ]
    assert CANARY not in repr(found)


def test_settings_that_are_parsed_in_two_ways_are_described_twice() -> None:
    found = describe([("a", [Setting("A", parse=words)]), ("b", [Setting("A", parse=str.upper)])], {"A": "a"})
    assert [(entry.state, entry.seeds) for entry in found] == [("invalid", ("a",)), ("set", ("b",))]


def test_a_plan_is_bound_to_the_text_of_what_is_parsed() -> None:
    class Opaque:
        """Its text names an address in memory."""

    settings = [Setting("A", parse=lambda text: Opaque()), Setting("B", default="x", parse=lambda text: Opaque())]
    found = resolve([*settings, Setting("C", int)], {"A": "a", "C": "5"})
    assert [found.made_of(name) for name in "ABC"] == ["a", "x", 5]


def test_declarations_that_contradict_each_other() -> None:
    declared = [
        ("a", [Setting("KEY", Secret), Setting("PATH_X")]),
        ("b", [Setting("KEY", str), Setting("PATH_X", default="p"), Setting("KEY_FILE")]),
    ]
    assert [str(problem) for problem in declaration_problems(declared)] == [
        "KEY is str in seed 'b' and Secret in seed 'a' (declare it alike in both, or rename one)",
        "KEY_FILE of seed 'b' is also the file that KEY of seed 'a' is read from (rename one of the two)",
    ]
    assert declaration_problems(DECLARED) == []


def test_finite_numbers_only() -> None:
    assert all(math.isfinite(resolve([Setting("A", float)], {"A": text})["A"]) for text in ("1e308", "-1e308"))
