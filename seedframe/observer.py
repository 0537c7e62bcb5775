"""What a run tells those who watch it: progress bars, logs, extensions."""

from seedframe.report import Report, ResourceOutcome, SeedOutcome
from seedframe.secrecy.handover import Handed
from seedframe.seed import Seed


class Observer:
    """Every method does nothing; override what is wanted. Called in the run's own thread, between its steps.

    Attributes:
        shows_passwords: generated passwords are shown to a person at once, who is known to look.
    """

    shows_passwords = False

    def run_started(self, seeds: tuple[Seed, ...], mode: str) -> None:
        """The seeds are ordered and the database answers; again where all is read again, as the connection was lost."""

    def run_finished(self, report: Report) -> None:
        """The run is over; not called where it was stopped, or could not begin."""

    def step(self) -> None:
        """Between two steps, and after a seed's own code has run, whatever that did. What is raised here ends the run,
        rolled back: KeyboardInterrupt, when it was asked to stop and the seed's code swallowed that.
        """

    def waiting(self, what: str) -> None:
        """The run waits for a lock or a server; `what` says which and who holds it."""

    def seed_started(self, seed: Seed) -> None:
        """The seed's transaction begins."""

    def rows_read(self, seed: Seed, resource: str, rows: int) -> None:
        """`rows` rows of the resource's source have been read so far; called every few thousand rows."""

    def resource_started(self, seed: Seed, resource: str) -> None:
        """The resource is about to be compared; again in every attempt."""

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:
        """The resource was compared; nothing has been written yet."""

    def resource_finished(self, seed: Seed, outcome: ResourceOutcome) -> None:
        """The resource was written, where the run writes, or else compared; its seed may still be rolled back."""

    def seed_finished(self, seed: Seed, outcome: SeedOutcome) -> None:
        """The seed's transaction has ended."""

    def password_generated(self, handed: Handed) -> bool:  # noqa: ARG002 - for those who override it
        """The account of a generated password was committed, or, where it is in no file, is about to be: show it to
        whom it is meant for, and take its file away. Called where `shows_passwords` says so. True when it was shown.
        """
        return False
