"""Stands in for the platform's migrations: makes the tables of tables.sql."""

import os
from pathlib import Path

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute(Path(__file__).with_name("tables.sql").read_bytes())
