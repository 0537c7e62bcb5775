"""`python -m seedframe_iso`: the tables that the seed fills, as SQL for a migration."""

import sys
from importlib.resources import files

sys.stdout.write(files("seedframe_iso").joinpath("tables.sql").read_text(encoding="utf-8"))
