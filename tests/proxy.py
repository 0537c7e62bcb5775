"""A relay between a client and a PostgreSQL server that knows where messages end, and can cut or stall between two."""

import contextlib
import random
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, get_args

Direction: TypeAlias = Literal["to server", "to client"]
Moment: TypeAlias = Literal["before", "after"]

DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
MOMENTS: Final[tuple[Moment, ...]] = get_args(Moment)

_SSL_REQUESTS = (80877103, 80877104)
_CANCEL_REQUEST = 80877102


@dataclass(frozen=True, slots=True)
class Message:
    """One message that passed: its type's letter, and the beginning of what it carries."""

    direction: Direction
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where to break in: at the n-th message (from 1) of all connections in one direction.

    Attributes:
        text: count only messages that carry just this: a simple query, or what the server calls a command it has done.
        when: "before" it is handed on, so that it never arrives, or "after".
        how: "cut" ends the connection on both sides; "stall" leaves it open, and lets nothing more through; what else
            is to happen then is called, and the message handed on.
    """

    direction: Direction
    number: int
    when: Moment = "before"
    how: Literal["cut", "stall"] | Callable[[], object] = "cut"
    text: str | None = None

    def counts(self, message: Message) -> bool:
        """True for a message that is one of the n."""
        return message.direction == self.direction and self.text in (None, message.text)


class Proxy:
    """Relays any number of connections; breaks one of them, once, where it was told to."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._counted = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listeners: list[socket.socket] = []
        self._break: Break | None = None
        self.messages: list[Message] = []
        self.broken = False
        self._released = threading.Event()

    def break_at(self, where: Break | None) -> None:
        """Count from here on, and break there; None for never."""
        with self._lock:
            self._break, self._counted, self.broken = where, 0, False
            self.messages = []

    def listen(self, listener: socket.socket) -> None:
        """Take connections from there."""
        listener.listen(50)
        self._listeners.append(listener)
        self._start(self._accept, listener)

    def close(self) -> None:
        """End every connection, and wait for the threads."""
        with self._lock:
            self._break = None
            self._released.set()
            ending = [*self._listeners, *self._sockets]
        for end in ending:
            _end(end)
        for thread in list(self._threads):
            thread.join(10)

    def vanish(self) -> None:
        """End every connection, and take no other; may be called in the middle of a message."""
        for end in [*self._listeners, *self._sockets]:
            _end(end)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._upstream))
            except OSError:
                client.close()
                server.close()
                continue
            with self._lock:
                self._sockets += [client, server]
            self._start(self._relay, client, server, "to server")
            self._start(self._relay, server, client, "to client")

    def _relay(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        reader = source.makefile("rb")
        try:
            if direction == "to server" and not self._greet(reader, source, target):
                return
            while self._pass_on(reader, target, direction):
                pass
        except OSError:
            pass
        finally:
            _end(source)
            _end(target)

    def _greet(self, reader: BinaryIO, source: socket.socket, target: socket.socket) -> bool:
        """The client's first message has no type. Encryption is declined here; a request to cancel is one message."""
        while True:
            head = _exactly(reader, 8)
            length, code = struct.unpack("!ii", head)
            body = _exactly(reader, length - 8)
            if code in _SSL_REQUESTS:
                source.sendall(b"N")
                continue
            if code == _CANCEL_REQUEST:
                target.sendall(head + body)
                return True
            return self._hand_on(Message("to server", "startup", ""), head + body, target)

    def _pass_on(self, reader: BinaryIO, target: socket.socket, direction: Direction) -> bool:
        head = _exactly(reader, 5)
        kind, length = struct.unpack("!ci", head)
        body = _exactly(reader, length - 4)
        text = body.decode(errors="replace") if kind in b"PQC" else ""
        return self._hand_on(Message(direction, kind.decode(), text.strip("\0")[:200]), head + body, target)

    def _hand_on(self, message: Message, data: bytes, target: socket.socket) -> bool:
        with self._lock:
            self.messages.append(message)
            here = self._break
            if here is not None and here.counts(message):
                self._counted += 1
            broken = here is not None and not self.broken and self._counted == here.number
            self.broken = self.broken or broken
        if here is None or not broken:
            target.sendall(data)
            return True
        if here.when == "after":
            target.sendall(data)
        if callable(here.how):
            here.how()
            if here.when == "before":
                target.sendall(data)
            return True
        if here.how == "stall":
            self._released.wait()
        return False


def places(messages: Sequence[Message], count: int, text: str | None = None) -> list[Break]:
    """Places to cut at: before and after each of the messages, or so many of these, chosen at random."""
    found = [
        Break(direction, number, when, text=text)
        for direction in DIRECTIONS
        for number in range(1, 1 + sum(Break(direction, 1, text=text).counts(message) for message in messages))
        for when in MOMENTS
    ]
    return found if count >= len(found) else random.sample(found, count)


def _exactly(reader: BinaryIO, size: int) -> bytes:
    data = reader.read(size)
    if len(data) < size:
        raise OSError("closed")
    return data


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxied(sockets: Path) -> Iterator[tuple[Proxy, Path]]:
    """A proxy before the server with this socket folder, and the folder of its own socket."""
    with tempfile.TemporaryDirectory(prefix="sf-proxy-", dir="/tmp") as folder:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/.s.PGSQL.5432")
        with contextlib.closing(Proxy(sockets / ".s.PGSQL.5432")) as proxy:
            proxy.listen(listener)
            yield proxy, Path(folder)


@contextlib.contextmanager
def proxied_tcp(sockets: Path) -> Iterator[tuple[Proxy, int]]:
    """The same over TCP: a proxy, and its port on 127.0.0.1."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    with contextlib.closing(Proxy(sockets / ".s.PGSQL.5432")) as proxy:
        proxy.listen(listener)
        yield proxy, listener.getsockname()[1]
