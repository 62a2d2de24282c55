"""Files that people may have edited: written atomically, read with checks."""
