"""The agent inside a BEAM node, and its client: coverage, events, vitals, a barrier.

``AgentFiles`` makes the environment that carries the agent into a node and finds out where
it listens; ``AgentClient`` talks to it.
"""

from fuzz.beam.agent import Agent
from fuzz.beam.client import AgentClient
from fuzz.beam.fake import FakeAgent
from fuzz.beam.inject import AgentFiles, Announcement
from fuzz.node import (
    Application,
    Detached,
    Event,
    EventKind,
    Instrumentation,
    NodeInfo,
    Point,
    QuickVitals,
    Reading,
    Suspect,
    Table,
    Vitals,
)

__all__ = [
    "Agent",
    "AgentClient",
    "AgentFiles",
    "Announcement",
    "Application",
    "Detached",
    "Event",
    "EventKind",
    "FakeAgent",
    "Instrumentation",
    "NodeInfo",
    "Point",
    "QuickVitals",
    "Reading",
    "Suspect",
    "Table",
    "Vitals",
]
