"""Reporters: each takes the events of a run and shows them to somebody."""
