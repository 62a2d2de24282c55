"""A result as pictures, one kind of picture a file; the only rooms that know matplotlib."""
