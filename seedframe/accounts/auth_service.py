"""AuthService: the accounts at Supabase Auth, found, made once, and kept in step through its admin API.

The contract is that of supabase/auth, `internal/api/admin.go`, as of version 2.196.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from seedframe.accounts.auth_address import AuthAddress, check_key, read_address
from seedframe.accounts.auth_answers import Answer
from seedframe.accounts.auth_user import AuthUser, account_id, folded, is_of, is_spelled_otherwise, record_of, user_of
from seedframe.accounts.passwords import HASH_PATTERN
from seedframe.errors import AuthRefused, BadData, ConfigError, SeedError
from seedframe.log import logger
from seedframe.secrecy.masking import hiding
from seedframe.secrets import Secret

if TYPE_CHECKING:
    from seedframe.accounts.auth_wire import Wire

__all__ = ["AuthService", "AuthUser", "account_id"]

_PER_PAGE: Final = 1000
# How often the list is read from its top before it is believed that it never stands still.
_SCANS: Final = 3
_POSTS: Final = 3

# The e-mail address is taken: the service's check, and the unique index when two were at it at once.
_TAKEN: Final = frozenset({"email_exists", "user_already_exists", "unexpected_failure"})
# Signing in is not possible, whatever the password.
_CLOSED: Final = (
    "user_banned",
    "email_not_confirmed",
    "email_provider_disabled",
    "provider_disabled",
    "captcha_failed",
)


class AuthService:
    """Supabase Auth behind one address, with a key that may administer accounts. Close it, or use it in `with`."""

    def __init__(self, *, url: str, key: Secret, timeout_s: float = 10.0, patience_s: float = 30.0) -> None:
        """Nothing is sent yet.

        Args:
            url: of the project; see `read_address`.
            key: the service_role JWT, or an sb_secret_ key; its plain text is masked everywhere until `close`.
            timeout_s: seconds for each step of a request: connecting, sending, each wait for the answer, its body.
            patience_s: seconds that are spent pausing between attempts, for each thing that is asked.

        Errors: ConfigError where URL, key or the environment's proxy do not fit, or the extra is not installed.
        """
        address = read_address(url)
        check_key(key)
        self._origin = address.origin
        self._wire = _connected(address, key, timeout_s, patience_s)
        self._until_closed = ExitStack()
        self._until_closed.callback(self._wire.close)
        self._until_closed.enter_context(hiding([key.reveal()]))

    def __repr__(self) -> str:
        return f"AuthService({self._origin!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port: what to name it by."""
        return self._origin

    def close(self) -> None:
        """Close the connection."""
        self._until_closed.close()

    def find(self, email: str) -> AuthUser | None:
        """The account with this e-mail address, in whatever spelling; None where there is none.

        Accounts of single sign-on and deleted ones are not it. Its own id is asked for first, then the list: what the
        service filters by the address, and, since that is by the letter and knows `_` and `%`, all pages.

        Errors: AuthUnreachable, AuthRefused.
        """
        return self._by_id(email)[0] or self._by_email(folded(email))

    def ping(self) -> None:
        """Make sure that the service answers, and takes the key. Errors: AuthUnreachable, AuthRefused."""
        self._page(1, "asking whether the service is there", 1)

    def users(self) -> Iterator[AuthUser]:
        """All accounts but deleted ones, newest first, each once; one that comes or goes meanwhile may be missed.

        Errors: AuthUnreachable, AuthRefused.
        """
        doing = "reading the list of accounts"
        seen: set[str] = set()
        for number in count(1):
            answer, page = self._page(number, doing)
            new = {str(user.get("id")): user for user in page if str(user.get("id")) not in seen}
            there = (user for user in new.values() if user.get("deleted_at") is None)
            yield from (self._user(Answer(answer.status, user, answer.headers), doing) for user in there)
            seen.update(new)
            if not new or (answer.total is not None and len(seen) >= answer.total):
                return

    def create(
        self,
        *,
        email: str,
        password_hash: str,
        user_metadata: Mapping[str, Any],
        app_metadata: Mapping[str, Any],
        user_id: str | None = None,
    ) -> tuple[AuthUser, bool]:
        """Make the account, its e-mail address confirmed, unless it is there.

        A run that was killed after the service had made it finds it here; so does one whose request got no answer.

        Args:
            email: sent in the form of `normalise_email`.
            password_hash: bcrypt's. The service would hash a plaintext itself, with a cost of 10 only.
            user_metadata: what the user may edit: names.
            app_metadata: the role, as `role`. It is never sent as the field `role`, which is PostgreSQL's.
            user_id: the id to make it with, a UUID, where the account has one elsewhere; default: `account_id(email)`.

        Returns: the account, and whether this call made it. False: it was there, and nothing of it was changed.

        Errors: AuthUnreachable, AuthRefused, BadData.
        """
        if not re.fullmatch(HASH_PATTERN, password_hash):
            raise ValueError("password_hash is no bcrypt hash")
        address = folded(email)
        doing = f"creating {address}"
        attributes: dict[str, Any] = {
            "email": address,
            "email_confirm": True,
            "user_metadata": _set(user_metadata),
            "app_metadata": _set(app_metadata),
        }
        _check_sendable(attributes, doing)
        secret = Secret(password_hash)
        del password_hash  # so that no frame of a traceback has it
        with hiding([secret.reveal()]):
            return self._create(address, attributes, secret, doing, user_id)

    def update(
        self,
        user_id: str,
        *,
        user_metadata: Mapping[str, Any] | None = None,
        app_metadata: Mapping[str, Any] | None = None,
        unban: bool = False,
    ) -> AuthUser:
        """Merge these into its metadata, name by name on the first level; None as a value takes a name away.

        Args:
            user_id: of an account that was found.
            user_metadata, app_metadata: what is not named stays as it is.
            unban: lift the ban.

        Errors: AuthUnreachable, AuthRefused (also when the account is gone), BadData.
        """
        doing = f"updating account {user_id}"
        attributes: dict[str, Any] = {}
        if user_metadata:
            attributes["user_metadata"] = dict(user_metadata)
        if app_metadata:
            attributes["app_metadata"] = dict(app_metadata)
        if unban:
            attributes["ban_duration"] = "none"
        _check_sendable(attributes, doing)
        admin = self._wire.admin
        if not attributes:
            return self._user(self._wire.ask(doing, lambda: admin.get_user_by_id(user_id)), doing)
        answer = self._wire.ask(doing, lambda: admin.update_user_by_id(user_id, attributes))  # type: ignore[arg-type]
        return self._user(answer, doing)

    def set_password(self, user_id: str, password: Secret) -> None:
        """Replace the password. It goes to the service as it is, over TLS, and is hashed there, with a cost of 10.

        Errors: AuthUnreachable, AuthRefused, with the service's reasons where it thinks it too weak.
        """
        doing = f"changing the password of account {user_id}"
        admin = self._wire.admin
        with hiding([password.reveal()]):
            answer = self._wire.ask(doing, lambda: admin.update_user_by_id(user_id, {"password": password.reveal()}))
            if self._user(answer, doing).id != user_id:
                raise self._wire.unfit(answer, doing)

    def opens(self, email: str, password: Secret) -> bool | None:
        """Whether the password opens the account, by signing in and out again, which the service records.

        Returns: None where it cannot be told: the account is banned or not confirmed, or signing in by e-mail address
        and password is not allowed.

        Errors: AuthUnreachable, AuthRefused.
        """
        doing = f"signing in as {folded(email)}"
        visitor = self._wire.visitor()
        with hiding([password.reveal()]):
            answer = self._wire.ask(
                doing,
                lambda: visitor.sign_in_with_password({"email": folded(email), "password": password.reveal()}),
                "invalid_credentials",
                *_CLOSED,
            )
        if answer.code == "invalid_credentials":
            return False
        if answer.code in _CLOSED:
            return None
        token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
        if not isinstance(token, str):
            raise self._wire.unfit(answer, doing)
        self._sign_out(token)
        return True

    # ---------------------------------------------------------------------
    # Finding
    # ---------------------------------------------------------------------

    def _by_id(self, email: str) -> tuple[AuthUser | None, bool]:
        """The account under the address's own id, if it is that of the address; and whether that id is taken."""
        doing = f"looking for {folded(email)}"
        admin, own = self._wire.admin, account_id(email)
        answer = self._wire.ask(doing, lambda: admin.get_user_by_id(own), "user_not_found")
        if answer.code == "user_not_found":
            return None, False
        found = record_of(answer.body)
        if found is None:
            raise self._wire.unfit(answer, doing)
        # Its owner may have taken another address since, and what is deleted keeps its id.
        return (self._user(answer, doing) if is_of(found, folded(email)) else None), True

    def _by_email(self, email: str) -> AuthUser | None:
        """The account with this address under whatever id."""
        # In a LIKE, which is what the filter is, a backslash means itself only when it is doubled.
        if "\\" not in email:
            with self._wire.filtered(email):
                found = self._scan(email)
            if isinstance(found, AuthUser):
                return found
        # Newest first, by offset: whoever is deleted meanwhile moves others to a page that has been read already.
        before: frozenset[str] | None = None
        for _ in range(_SCANS):
            found = self._scan(email)
            if isinstance(found, AuthUser):
                return found
            if found.complete or found.ids == before:
                return None
            before = found.ids
        return None  # create() is told by the service itself when that is wrong

    def _scan(self, email: str) -> "AuthUser | _Scan":
        doing = f"looking for {email} in the list of accounts"
        ids: set[str] = set()
        totals: set[int | None] = set()
        page = 0
        while True:
            page += 1
            answer, users = self._page(page, doing)
            match = next(iter(sorted((user for user in users if is_of(user, email)), key=is_spelled_otherwise)), None)
            if match is not None:
                return self._user(Answer(answer.status, match, answer.headers), doing)
            new = {str(user.get("id")) for user in users} - ids
            ids |= new
            totals.add(answer.total)
            # The service may give fewer on a page than it was asked for, so that a short page is not the last one.
            if not new or (answer.total is not None and len(ids) >= answer.total):
                return _Scan(frozenset(ids), totals == {len(ids)})

    def _page(self, number: int, doing: str, size: int = _PER_PAGE) -> tuple[Answer, list[dict[str, Any]]]:
        """A page of the list of accounts, from 1 on."""
        answer = self._wire.ask(doing, partial(self._wire.admin.list_users, page=number, per_page=size))
        users = answer.body.get("users") if isinstance(answer.body, dict) else None
        if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
            raise self._wire.unfit(answer, doing)
        return answer, users

    # ---------------------------------------------------------------------
    # Making
    # ---------------------------------------------------------------------

    def _create(
        self, email: str, attributes: dict[str, Any], password_hash: Secret, doing: str, user_id: str | None
    ) -> tuple[AuthUser, bool]:
        there, id_is_taken = self._by_id(email)
        there = there or self._by_email(email)
        if there is not None:
            return there, False
        own, id_is_taken = (account_id(email), id_is_taken) if user_id is None else (user_id, False)
        if not id_is_taken:
            attributes = {**attributes, "id": own}
        perhaps_ours = False
        admin = self._wire.admin

        def post() -> object:
            return admin.create_user({**attributes, "password_hash": password_hash.reveal()})  # type: ignore[typeddict-item]

        for number in range(1, _POSTS + 1):
            outcome = self._wire.attempt(doing, post)
            if isinstance(outcome, Answer):
                return self._user(outcome, doing), True
            error = outcome.error
            taken = isinstance(error, AuthRefused) and (error.answer in _TAKEN or error.status == 500)
            if not taken and not outcome.unclear:
                break
            perhaps_ours = perhaps_ours or (outcome.unclear and not taken)
            there = self.find(email)
            if there is not None:
                # Nobody else gives this id, so that it came about by the request that got no answer.
                return there, perhaps_ours and there.id == own and not id_is_taken
            if isinstance(error, AuthRefused) and error.status != 500:
                break
            if number < _POSTS:
                logger.debug("creating an account at Supabase Auth once more")
        raise error

    def _sign_out(self, token: str) -> None:
        try:
            with hiding([token]):
                self._wire.ask("signing out", lambda: self._wire.admin.sign_out(token, "local"))
        except SeedError:
            # The question is answered; a session that nobody has the token of ends by itself.
            logger.warning("Supabase Auth did not take the sign-out after a password was checked")

    def _user(self, answer: Answer, doing: str) -> AuthUser:
        found = record_of(answer.body)
        user = None if found is None else user_of(found, answer.at)
        if user is None:
            raise self._wire.unfit(answer, doing)
        return user


@dataclass(frozen=True, slots=True)
class _Scan:
    """A list that was read to its end: the ids in it, and whether nothing moved meanwhile."""

    ids: frozenset[str]
    complete: bool


def _set(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a new account gets: None is for taking away."""
    return {name: value for name, value in metadata.items() if value is not None}


def _check_sendable(body: Mapping[str, Any], doing: str) -> None:
    """Make sure that this can be sent and kept as JSON by PostgreSQL. Errors: BadData, without any value."""
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        text = None
    # Outside of `except`: the error for what is not UTF-8 carries the text. PostgreSQL's jsonb takes no NUL.
    if text is None or "\\u0000" in text.replace("\\\\", ""):
        raise BadData(
            f"the metadata for {doing} has a value that JSON does not", hint="text, numbers, lists and tables"
        )


def _connected(address: AuthAddress, key: Secret, timeout_s: float, patience_s: float) -> "Wire":
    try:
        # Not at the top: the client is an extra, and takes its time to load.
        from seedframe.accounts.auth_wire import Wire
    except ImportError as error:
        missing = error.name or "supabase_auth"
    else:
        return Wire(address, key, timeout_s=timeout_s, patience_s=patience_s)
    raise ConfigError(
        f"accounts at Supabase Auth need a package that is not installed: {missing}",
        hint='pip install "seedframe[supabase]"',
    )
