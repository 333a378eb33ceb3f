"""Tests of the agent, on real nodes."""
