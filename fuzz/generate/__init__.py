"""Making cases: span-aware mutators, their dictionary, and the seed corpus."""
