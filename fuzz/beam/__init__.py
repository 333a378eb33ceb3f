"""The agent inside a BEAM node, and its client: coverage, events, vitals, a barrier.

``AgentFiles`` makes the environment that carries the agent into a node and finds out where
it listens; ``Attachment`` brings it into one that runs; ``AgentClient`` talks to it.
``injection`` has what both ways have in common.
"""

from fuzz.beam.agent import Agent
from fuzz.beam.attach import Attachment
from fuzz.beam.client import AgentClient
from fuzz.beam.fake import FakeAgent
from fuzz.beam.inject import AgentFiles, Announcement
from fuzz.beam.injection import EnvironmentInjection, Injection
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
    "Attachment",
    "Detached",
    "EnvironmentInjection",
    "Event",
    "EventKind",
    "FakeAgent",
    "Injection",
    "Instrumentation",
    "NodeInfo",
    "Point",
    "QuickVitals",
    "Reading",
    "Suspect",
    "Table",
    "Vitals",
]
