"""What an attempt tells of its seed to those who watch the run: without secrets."""

from seedframe.observer import Observer
from seedframe.report import ResourceOutcome
from seedframe.secrecy.masked_report import masked_resource
from seedframe.seed import Seed


class SeedObserver:
    """The methods of `Observer` that are about one seed."""

    def __init__(self, observer: Observer, seed: Seed) -> None:
        self._observer = observer
        self._seed = seed

    def step(self) -> None:
        """After code of the seed has run."""
        self._observer.step()

    def rows_read(self, resource: str, rows: int) -> None:
        """So many rows of the resource's source have been read so far."""
        self._observer.rows_read(self._seed, resource, rows)

    def resource_started(self, resource: str) -> None:
        """The resource is about to be compared."""
        self._observer.resource_started(self._seed, resource)

    def resource_planned(self, outcome: ResourceOutcome) -> None:
        """The resource was compared; nothing has been written yet."""
        self._observer.resource_planned(self._seed, masked_resource(outcome))

    def resource_finished(self, outcome: ResourceOutcome) -> None:
        """The resource was written, where the run writes, or else compared."""
        self._observer.resource_finished(self._seed, masked_resource(outcome))
