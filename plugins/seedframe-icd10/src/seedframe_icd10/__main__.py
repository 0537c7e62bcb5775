"""`python -m seedframe_icd10`: the table that the seed fills, as SQL for a migration."""

import sys
from importlib.resources import files

sys.stdout.write(files("seedframe_icd10").joinpath("table.sql").read_text(encoding="utf-8"))
