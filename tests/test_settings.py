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
from seedframe.errors import ConfigError
from seedframe.secrets import MASK
from seedframe.settings import Settings, declaration_problems, describe, resolve

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
