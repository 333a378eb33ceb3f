"""Engines: what proposes cases and learns from what they did."""
