"""Where declared rows come from: inline, a callable, or a file; each a stream of records with a line number."""
