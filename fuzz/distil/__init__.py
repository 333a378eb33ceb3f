"""Small corpora out of large ones: which cases are needed to reach all that the cases reach."""
