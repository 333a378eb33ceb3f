"""Triage: what becomes of a finding after it is saved."""
