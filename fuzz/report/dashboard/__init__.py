"""The view of a campaign that takes the whole terminal: what it finds, how fast, where.

What happened is kept on a :class:`Board`; the screen paints that a few times a second, and tells
the campaign what keys say. To add a panel: write
what it shows as a function in :mod:`fuzz.report.dashboard.panels`, and its place in
:mod:`fuzz.report.dashboard.app`.
"""

from fuzz.report.dashboard.app import Controls, Dashboard
from fuzz.report.dashboard.board import Board

__all__ = ["Board", "Controls", "Dashboard"]
