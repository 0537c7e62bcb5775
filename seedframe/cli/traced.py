"""What `--trace-hooks` shows: a line on stderr for each call of a hook, with the time it took."""

from collections.abc import Sequence

import click

from seedframe.reporting.cells import visible


def print_call(hook: str, reached: Sequence[str], seconds: float) -> None:
    """Show one call.

    Args:
        hook: its name.
        reached: the seeds ("seed:core") and extensions ("extension:slack") that implement it.
        seconds: how long it took, calls within it included.
    """
    if reached:
        who = ", ".join(name.replace(":", " ", 1) for name in reached)
        click.echo(f"hook {seconds * 1000:9.2f} ms  {visible(hook)}  {visible(who)}", err=True)
