"""The observer of the kit's own runs, which nobody watches."""

from typing import TYPE_CHECKING

from seedframe.observer import Observer

if TYPE_CHECKING:
    from seedframe.secrecy.handover import Handed


class Quietly(Observer):
    """Takes the passwords that are generated, of accounts that are gone with the database: no file keeps them."""

    shows_passwords = True

    def password_generated(self, handed: "Handed") -> bool:
        """Take the file away. It was shown, to nobody."""
        if handed.file is not None:
            handed.file.unlink(missing_ok=True)
        return True
