"""One module a format, each made from the report alone."""
