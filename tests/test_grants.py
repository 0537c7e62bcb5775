"""The grammar of `email:role,…`: whatever is written there, nobody else is let in, and nobody with another role."""

import os
import unicodedata
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seedframe import AccountGrant, parse_accounts
from seedframe.accounts.roles import check_role
from seedframe.emails import normalise_email
from seedframe.errors import DeclarationError

EXAMPLES: Final = int(os.environ.get("SEEDFRAME_TEST_EXAMPLES", "300"))
ROLES: Final = ("admin", "support", "super_admin", "Clinic Lead")

NAMES: Final = st.from_regex(r"\A[a-z0-9!#$%&'*+/=?^_`{|}~äéñж-]{1,12}(\.[a-z0-9]{1,5})?\Z")
DOMAINS: Final = st.from_regex(r"\A([a-z0-9äéñж]{1,8}\.){0,2}[a-z]{2,5}\Z")
ADDRESSES: Final = st.builds("{}@{}".format, NAMES, DOMAINS)
BLANKS: Final = st.sampled_from(["", " ", "  ", "\t", "\n", "\r\n", "\u00a0"])
FORMS: Final = st.sampled_from(
    [str, str.upper, str.title, lambda text: unicodedata.normalize("NFD", text), lambda text: text]
)
# Texts that are nearly right: what a slip, or someone who means ill, would write.
PIECES: Final = st.sampled_from(
    [
        *("a@example.com", "b@example.com", "A@Example.com", "ä@example.com", "a\u0308@example.com", "a@b@c"),
        *(
            "a@münchen.de",
            "a@xn--mnchen-3ya.de",
            "a\u200b@example.com",
            "\uff41@example.com",
            "x" * 65 + "@example.com",
        ),
        *("admin", "support", "super_admin", "Clinic Lead", "ADMIN", "admin\u200b", "adm", "service_role"),
        *("SERVICE_ROLE", "supabase_admin", "postgres", "anon", "authenticated", "*", "all"),
        *(",", ":", ",", ":", ";", " ", "\n", "\0", "\x1b", "\ud800", "=", '"', "'", "\\"),
    ]
)
NEARLY: Final = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["a@example.com", "b@example.com", "A@Example.com", "ä@example.com", "a\u0308@example.com"]),
        st.sampled_from([":", " : ", ":", ": ", " :", ":\n", "::", ";"]),
        st.sampled_from([*ROLES, *ROLES, *ROLES, "ADMIN", "service_role", ""]),
        st.sampled_from(["", " ", "\n", "", "", "", ":admin"]),
    ),
    max_size=4,
).map(",".join)
TEXTS: Final = st.one_of(NEARLY, st.text(), st.lists(PIECES, max_size=12).map("".join))


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.tuples(ADDRESSES, st.sampled_from(ROLES), FORMS, BLANKS, BLANKS), max_size=6, unique_by=lambda e: e[0])
)
def test_a_list_is_read_as_it_was_written(entries: list[tuple[str, str, type[str], str, str]]) -> None:
    text = ",".join(
        f"{before}{form(email)}{after}:{after}{role}{before}" for email, role, form, before, after in entries
    )
    expected = tuple(AccountGrant(normalise_email(email), role) for email, role, *_ in entries)
    assert parse_accounts(text, roles=ROLES) == expected
    assert parse_accounts(",".join(f"{grant.email}:{grant.role}" for grant in expected), roles=ROLES) == expected


@settings(max_examples=EXAMPLES * 3)
@given(TEXTS, st.one_of(st.just(list(ROLES)), st.lists(st.sampled_from(ROLES), unique=True)))
@example("a@example.com:admin,a@example.com:admin", ["admin"])
@example("a@example.com:admin,\u00c4@example.com:admin", ["admin"])
def test_whatever_is_written_grants_only_what_is_allowed_and_to_each_person_once(text: str, roles: list[str]) -> None:
    try:
        grants = parse_accounts(text, roles=roles)
    except DeclarationError as error:
        [line] = str(error).splitlines()
        assert line.isprintable()
        return
    # As many grants as there are entries: none is skipped, and none is made of what another one says.
    assert len(grants) == (text.count(",") + 1 if text.strip() else 0)
    for grant, entry in zip(grants, text.split(","), strict=bool(text.strip())):
        address, role = entry.split(":")
        assert grant == AccountGrant(normalise_email(address), role.strip())
        assert grant.role in roles
        assert normalise_email(grant.email) == grant.email
    assert len({unicodedata.normalize("NFKC", grant.email).casefold() for grant in grants}) == len(grants)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a@example.com", "entry 1 (a@example.com) has no role (write email:role, the role one of admin, support)"),
        (
            "a@example.com:admin,b@example.com:",
            "entry 2 (b@example.com) has no role (write email:role, the role one of admin, support)",
        ),
        ("a@example.com:admin,", "entry 2 is empty (take away the comma that is too many)"),
        (",", "entry 1 is empty (take away the comma that is too many)"),
        (
            "a@example.com:admin:support",
            "entry 1 (a@example.com) has a second colon (commas separate the entries: email:role,email:role)",
        ),
        (
            "a@example.com:admin;b@example.com:admin",
            "entry 1 (a@example.com) has a second colon (commas separate the entries: email:role,email:role)",
        ),
        (
            "a@example.com:amdin",
            "the role of entry 1 (a@example.com) is not one of admin, support (did you mean 'admin'?)",
        ),
        (
            "a@example.com:ADMIN",
            "the role of entry 1 (a@example.com) is not one of admin, support (did you mean 'admin'?)",
        ),
        (
            "a@example.com:service_role",
            (
                "the role of entry 1 (a@example.com) is not one of admin, support "
                "(a role is written exactly as it is listed)"
            ),
        ),
        (
            "a@example.com:admin,b@example.com:support, A@EXAMPLE.COM :support",
            "entry 3 (a@example.com) is the address of entry 1 (give each account one entry, with one role)",
        ),
        (
            "strasse@example.com:admin,straße@example.com:support",
            "entry 2 (straße@example.com) is the address of entry 1 (give each account one entry, with one role)",
        ),
        ("admin:a@example.com", "entry 1: this is no e-mail address: it has no @ (an entry has the form email:role)"),
    ],
)
def test_a_mistake_is_named_by_its_entry(text: str, line: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        parse_accounts(text, roles=["admin", "support"])
    assert str(refused.value) == line


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com:c4n4ry-pass",
        "postgresql://a:c4n4ry-pass@db.example.com/app",
        "postgresql://c4n4ry-pass@db.example.com:5432/app",
        "c4n4ry-pass",
        "c4n4ry-pass@@example.com:admin",
        "a@example.com:admin:c4n4ry-pass",
        "a@example.com:admin,c4n4ry-pass:admin",
    ],
)
def test_a_secret_that_was_put_there_by_mistake_is_not_shown(text: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        parse_accounts(text, roles=["admin", "support"])
    assert "c4n4ry" not in f"{refused.value}{refused.value!r}{refused.value.problems}"
    assert refused.value.__cause__ is None
    assert "c4n4ry" not in str(refused.value.__context__)


SUPABASE: Final = (
    *("anon", "authenticated", "authenticator", "service_role", "postgres", "dashboard_user", "pgbouncer"),
    *("supabase_admin", "supabase_auth_admin", "supabase_storage_admin", "supabase_functions_admin"),
    *("supabase_replication_admin", "supabase_read_only_user", "supabase_realtime_admin", "supabase_etl_admin"),
    *("pg_read_all_data", "pg_write_all_data", "pg_execute_server_program", "pgsodium_keymaker", "pgtle_admin"),
)


@pytest.mark.parametrize("role", SUPABASE)
def test_a_role_of_the_database_is_never_an_accounts_even_where_it_is_listed(role: str) -> None:
    width = {ord(letter): ord(letter) + 0xFEE0 for letter in "abcdefghijklmnopqrstuvwxyz"}
    for written in (
        role,
        role.upper(),
        role.title(),
        role.replace("_", "-"),
        role.replace("_", " "),
        role.translate(width),
    ):
        with pytest.raises(DeclarationError, match="never the role of an account"):
            check_role(written)
        with pytest.raises(DeclarationError, match="never the role of an account"):
            parse_accounts("a@example.com:admin", roles=["admin", written])
    with pytest.raises(DeclarationError, match="is not one of admin"):
        parse_accounts(f"a@example.com:{role}", roles=["admin"])


@pytest.mark.parametrize("role", ["admin", "super_admin", "Clinic Lead", "post-grad", "anonymous", "médecin"])
def test_a_role_of_the_application_is_an_accounts(role: str) -> None:
    assert check_role(role) == role


@pytest.mark.parametrize("role", ["", " ", "admin ", "ad\u200bmin", "ad\nmin", "\x1b[1m", "\ud800"])
def test_a_role_that_cannot_be_read_is_refused(role: str) -> None:
    with pytest.raises(DeclarationError, match="a role is empty, or has blanks around it") as refused:
        check_role(role)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("roles", ["admin", [1], ["admin", None]])
def test_the_roles_that_may_be_given_are_texts(roles: list[str]) -> None:
    with pytest.raises(DeclarationError, match="not a list of texts"):
        parse_accounts("", roles=roles)


@pytest.mark.parametrize("role", ["a,b", "a:b"])
def test_a_role_cannot_have_what_separates_entries_in_it(role: str) -> None:
    with pytest.raises(DeclarationError, match="a comma or a colon"):
        parse_accounts("", roles=[role])


@pytest.mark.parametrize("text", ["", " ", "\r\n"])
def test_nobody_is_named_by_an_empty_text(text: str) -> None:
    assert parse_accounts(text, roles=[]) == ()
