"""Account: someone who must be able to sign in, created once, wherever accounts are kept."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from seedframe.accounts.passwords import check_password, generate_password
from seedframe.accounts.places import FIELDS, AccountBackend, Field, FoundAccount, Identity, Place
from seedframe.accounts.roles import check_role
from seedframe.changes import Cell, Change, Changes, Finding, Marker, Verdict
from seedframe.configuration.account_options import ADMINISTRATORS
from seedframe.database.db import Db
from seedframe.database.users import database_and_time
from seedframe.emails import normalise_email
from seedframe.errors import BadData, DeclarationError, SeedError, did_you_mean
from seedframe.resources.environments import environments_of
from seedframe.secrets import Secret

_PASSWORD: Final = "password"  # noqa: S105 - a name


class Account:
    """A resource: an account that exists, is active, and has its role, in every place where it is kept.

    The password is set when the account is created and is its owner's from then on: no later run looks at it, hashes
    it or changes it, unless it is asked to.
    """

    def __init__(
        self,
        backend: AccountBackend,
        *,
        email: str,
        password: Secret | None = None,
        password_version: int = 1,
        first_name: str | None = None,
        last_name: str | None = None,
        role: str | None = None,
        initial: Collection[Field] = ("first_name", "last_name"),
        environments: Collection[str] | None = None,
        in_production: bool = True,
        name: str | None = None,
    ) -> None:
        """Declare it.

        Args:
            backend: where accounts are kept.
            email: compared regardless of case; stored in lower case, in Unicode's composed form.
            password: the first password, as it is; None has one generated when the account is created.
            password_version: a whole number from 1; when it is raised, the next apply changes the password, to what
                is given or to a generated one.
            first_name, last_name, role: None declares nothing.
            initial: fields that are set on creation and are the operators' from then on; the others are enforced.
            environments: the environments it is for; anywhere else it is left alone. None: all.
            in_production: False for what must not be where people depend on it, such as an account for tests.
            name: what the resource is called after `account:`; the e-mail address by default.

        Errors: DeclarationError for what cannot be an e-mail address, an unknown field, a role that no account may
            have, or a password in plain text.
        """
        # A caller without a type checker may well hand over a plain text, which tracebacks and logs would show.
        if not isinstance(password, Secret | None):
            raise DeclarationError(
                "the password of an account must be a Secret", hint='read it with Setting("NAME", Secret, default=None)'
            )
        if type(password_version) is not int or password_version < 1:
            raise DeclarationError("password_version is a whole number from 1", hint="raise it to change the password")
        for field in initial:
            if field not in FIELDS:
                raise DeclarationError(
                    f"an account has no field {field!r}",
                    hint=did_you_mean(field, FIELDS) or f"its fields are {', '.join(FIELDS)}",
                )
        if role is not None:
            check_role(role)
        fields = {
            "first_name": first_name,
            "last_name": last_name,
            "role": role,
            "is_active": "true",
        }
        self._backend = backend
        self._given = password
        self._version = password_version
        self._initial = frozenset(initial)
        self._identity = Identity(
            normalise_email(email), {field: value for field, value in fields.items() if value is not None}
        )
        self.environments = environments_of(environments, where=f"Account({email!r})")
        self._in_production = in_production
        self._name = f"account:{name or self._identity.email}"
        self._places: tuple[Place, ...] | None = None
        self._found: dict[str, FoundAccount] = {}
        self._stored_version: int | None = None
        self._changed_password = False
        self._was_administrator = False
        self._rehearsed = False

    @property
    def name(self) -> str:
        """`account:` and the e-mail address, unless named otherwise."""
        return self._name

    @property
    def holds_secrets(self) -> bool:
        """True: it has a password, and a hash of it."""
        return True

    @property
    def backend(self) -> AccountBackend:
        """Where it is kept."""
        return self._backend

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the backend."""
        return self._backend.tables

    @property
    def columns(self) -> Mapping[str, Collection[str]]:
        """The columns that it writes, by table, as far as its backend tells; less what finds it."""
        told = getattr(self._backend, "columns_of", None)
        return told({*self._identity.fields, "password_hash"}) if told is not None else {}

    @property
    def managed_columns(self) -> tuple[str, ...]:
        """The columns that are enforced, as the table calls them."""
        written = {name for names in self.columns.values() for name in names}
        named = {field: self.column_names.get(field, field) for field in self._identity.fields}
        return tuple(name for field, name in named.items() if name in written and field not in self._initial)

    @property
    def column_names(self) -> Mapping[str, str]:
        """What the table calls the account's fields, as far as its backend tells."""
        named: Mapping[str, str] = getattr(self._backend, "column_names", {})
        return named

    def describe(self) -> str:
        """The e-mail address, where the account is kept, and what is enforced."""
        enforced = [f"{field} {value}" for field, value in self._identity.fields.items() if field not in self._initial]
        if self._version > 1:
            enforced.append(f"password version {self._version}")
        return f"{self._identity.email} in {self._backend.describe()} ({', '.join(enforced) or 'exists'})"

    def diff(self, db: Db) -> Changes:
        """One change for each place where the account is missing, or where an enforced field differs."""
        reason = self._skipped(db)
        if reason is not None:
            return Changes(skipped_reason=reason)
        db.accounts.declared.add(self._identity.email)
        if self._places is None:
            self._places = self._keep(db)
        self._found = {}
        identity = self._identity
        for place in self._places:
            found = place.find(db, identity)
            if found is not None:
                self._found[place.name] = found
                there, _ = found.differs.get("role", (None, None))
                self._was_administrator = self._was_administrator or there in ADMINISTRATORS
        self._require_one_id()
        changes = [change for place in self._places for change in self._compare(db, place)]
        return Changes.of(changes, unchanged=0 if changes else 1)

    def delete(self, db: Db, changes: Changes) -> None:
        """Nothing: accounts are never deleted."""

    def write(self, db: Db, changes: Changes) -> None:
        """Create the account where it is missing; set the fields that differ, and the password where that is due."""
        planned = {self._place_of(change): change for change in changes.sample}
        for place in self._places or ():
            change = planned.get(place.name)
            if change is None:
                continue
            if self._is_only_planned(db, place):
                db.note(f"{self._identity.email} in {place.name} is only planned: a rehearsal makes nothing elsewhere")
                self._rehearsed = True
                continue
            if change.action == "create":
                self._create(db, place)
            else:
                self._update(db, place, change)

    def verify(self, db: Db) -> Iterator[Finding]:
        """What is wrong with the passwords, as far as it can be told; and, where asked for, whether the given opens."""
        for place in self._places or ():
            found = self._found.get(place.name)
            if found is None or not place.keeps_passwords:
                continue
            yield from place.remarks(db, self._identity, found)
            if db.accounts.passwords.check:
                yield from self._opening(db, place)

    def register(self, db: Db) -> None:
        """Have the run guard the places of this account: an enabled administrator must remain there."""
        roles = db.accounts.config.administrators
        if roles is None:
            is_one = self._was_administrator or self._identity.fields.get("role") in ADMINISTRATORS
            roles = ADMINISTRATORS if is_one else ()
        if not roles or not self._places or self._rehearsed:
            return
        # Where there are rows about people, they are what the application asks.
        place = self._places[-1]
        guards = db.accounts.guards
        if place.name not in guards or self._is_administrator(place, roles):
            guards[place.name] = lambda db: self._require_administrator(db, place, roles)

    def _is_administrator(self, place: Place, roles: Collection[str]) -> bool:
        """True when this very account was found to be an enabled one."""
        found = self._found.get(place.name)
        return (
            found is not None
            and self._identity.fields.get("role") in roles
            and not {"role", "is_active"} & set(found.differs)
        )

    def _require_administrator(self, db: Db, place: Place, roles: Collection[str]) -> Finding | None:
        # What is elsewhere no other seed has changed meanwhile, and to look through all accounts there takes its time.
        if (place.elsewhere and self._is_administrator(place, roles)) or place.has_administrator(
            db, roles
        ) is not False:
            return None
        text = f"no enabled account in {place.name} has the role {' or '.join(roles)}: nobody could let others in"
        return Finding(text, "error")

    def record(self, db: Db) -> None:
        """Keep the highest version of the password in the ledger."""
        if self._places and self._version > max(1, self._stored_version or 0):
            db.keep_password_version(self._name, self._version)

    # Where

    def _skipped(self, db: Db) -> str | None:
        if not self._in_production and db.accounts.production:
            return "not in production"
        absent = next((table for table in self.tables if db.is_absent(table)), None)
        if absent is not None and not db.was_applied(self.name):
            return f"optional table {absent} does not exist"
        return None

    def _keep(self, db: Db) -> tuple[Place, ...]:
        kept = self._backend.keep(db)
        if kept.told is not None:
            db.note(kept.told.text, kept.told.severity)
        return kept.places

    def _place_of(self, change: Change) -> str:
        places = self._places or ()
        return places[0].name if len(places) == 1 else str(change.key["place"])

    def _key(self, place: Place) -> dict[str, Cell]:
        key: dict[str, Cell] = {"email": self._identity.email}
        return key if len(self._places or ()) == 1 else {**key, "place": place.name}

    def _require_one_id(self) -> None:
        ids = {name: found.id for name, found in self._found.items() if found.id is not None}
        if len(set(ids.values())) > 1:
            told = " and ".join(f"{value} in {name}" for name, value in ids.items())
            raise SeedError(
                f"the account {self._identity.email} has two ids: {told}",
                hint="remove the row of the wrong id, or move what refers to it, and apply again",
            )

    @property
    def _shared_id(self) -> str | None:
        """The id that the account has in any place; None where it has none, or where there is but one place."""
        return next((found.id for found in self._found.values() if found.id is not None), None)

    def _is_only_planned(self, db: Db, place: Place) -> bool:
        """What is elsewhere is planned in a rehearsal, not done; nor is a row that would refer to it."""
        places = self._places or ()
        elsewhere = any(other.elsewhere and other.name not in self._found for other in places)
        return db.rehearsal and (place.elsewhere or elsewhere)

    # Comparing

    def _compare(self, db: Db, place: Place) -> Iterator[Change]:
        key, found = self._key(place), self._found.get(place.name)
        if self._rehearsed and self._is_only_planned(db, place):
            return
        if found is None:
            yield self._missing(db, place, key)
            return
        before: dict[str, Cell] = {}
        after: dict[str, Cell] = {}
        for field, (there, wanted) in found.differs.items():
            if field not in self._initial:
                before[field], after[field] = there, wanted
        why = self._why_change_password(db, place, found) if place.keeps_passwords else None
        if why is not None:
            before[_PASSWORD] = after[_PASSWORD] = Marker.SECRET
        if after:
            # That the password is to be changed was decided here, not found there.
            verdict = Verdict.PENDING if set(after) == {_PASSWORD} else None
            yield Change("update", key, before, after, verdict, why)

    def _missing(self, db: Db, place: Place, key: Mapping[str, Cell]) -> Change:
        place.vet(db)
        after: dict[str, Cell] = dict(self._identity.fields)
        reason = None
        if place.keeps_passwords:
            after[_PASSWORD] = Marker.SECRET
            reason = self._vet_password(db)
        return Change("create", key, after=after, reason=reason)

    def _vet_password(self, db: Db) -> str | None:
        """Make sure that there can be a password. Returns: what to say of it."""
        if self._given is not None:
            check_password(self._given, self._identity.email)
            return None
        if db.writable and not db.rehearsal:
            db.accounts.handover.require_way(self._identity.email)
        return "a password will be generated"

    def _why_change_password(self, db: Db, place: Place, found: FoundAccount) -> str | None:
        """Why the password is to be changed; None where it is its owner's."""
        if self._changed_password:
            return None
        why = None
        if self._identity.email in db.accounts.passwords.rotate:
            why = "--rotate-password"
            if self._given is not None and place.opens(db, self._identity, self._given):
                raise BadData(
                    f"the password given for {self._identity.email} is the one it has",
                    hint="give another one, or none to have one generated",
                )
        elif self._version > 1:
            before = self._applied_version(db)
            if before is not None and before < self._version:
                why = f"password_version {before} is now {self._version}"
        if why is not None:
            generated = self._vet_password(db)
            return why if generated is None else f"{why}; {generated}"
        if self._may_raise(db, found) and self._given is not None and place.opens(db, self._identity, self._given):
            return f"cost {found.cost} is now {db.accounts.config.rounds}"
        return None

    def _may_raise(self, db: Db, found: FoundAccount) -> bool:
        return found.cost is not None and found.cost < db.accounts.config.rounds and not db.accounts.verifies

    def _applied_version(self, db: Db) -> int | None:
        """The version of the password there is; None where no run has set it, so that it is not for us to change."""
        self._stored_version = db.password_version(self._name)
        if self._stored_version is not None:
            return self._stored_version
        return 1 if db.was_applied(self._name) else None

    # Writing

    def _create(self, db: Db, place: Place) -> None:
        shares = len(self._places or ()) > 1
        identity = replace(self._identity, id=self._shared_id if shares else None)
        if not place.keeps_passwords:
            # A trigger on the accounts may have made the row.
            found = place.find(db, self._identity)
            if found is not None:
                self._found[place.name] = found
                if found.differs:
                    place.update(db, identity, list(found.differs))
                return
            place.create(db, identity, None)
            return
        self._set_password(db, place, lambda password: place.create(db, identity, password))
        if shares:
            made = place.find(db, self._identity)
            if made is not None:
                self._found[place.name] = made

    def _update(self, db: Db, place: Place, change: Change) -> None:
        fields = [field for field in FIELDS if field in (change.after or {})]
        if fields:
            place.update(db, self._identity, fields)
        if _PASSWORD in (change.after or {}):

            def change_password(password: Secret) -> bool:
                place.set_password(db, self._identity, password)
                return True

            self._set_password(db, place, change_password)

    def _set_password(self, db: Db, place: Place, use: Callable[[Secret], bool]) -> None:
        """Use the password that is given, or a generated one, which is handed over before that."""
        self._changed_password = True
        if self._given is not None or db.rehearsal:
            use(self._given if self._given is not None else generate_password())
            return
        password = generate_password()
        database, stamp = database_and_time(db)
        told = db.accounts.handover.keep(
            self._identity.email, password, database=database, stamp=stamp, lasting=place.elsewhere
        )
        if use(password):
            db.note(told)
        else:
            db.note(f"{told}; but the account was there meanwhile, and that password may not be its own", "warning")

    # Verifying

    def _opening(self, db: Db, place: Place) -> Iterator[Finding]:
        email = self._identity.email
        if self._given is None:
            yield Finding(f"whether a password opens {email} was not checked: none is given", "info")
            return
        opened = place.opens(db, self._identity, self._given)
        if opened is None:
            yield Finding(
                f"whether the password given for {email} opens it cannot be told: signing in is closed", "warning"
            )
        elif opened:
            yield Finding(f"the password given for {email} opens it", "info")
        else:
            yield Finding(f"the password given for {email} does not open it", "error")
