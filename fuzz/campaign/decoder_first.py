"""A run of two parts: a decoder is called first, and then clients come."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from fuzz.campaign.campaign import Campaign
from fuzz.engines import decode_worker
from fuzz.events import Decoded, Ended, Event, Found
from fuzz.settings import FuzzSettings


class DecoderFirst:
    """A run that calls the decoder for a while, and goes on from what was interesting there.

    It is iterated, paused and stopped as a :class:`Campaign`. ``first`` names a decoder; ``then``
    does not, and starts from its own seeds and those that the first has put into its corpus.
    """

    def __init__(
        self,
        first: FuzzSettings,
        then: FuzzSettings,
        make_campaign: Callable[[FuzzSettings], Campaign] = Campaign,
    ) -> None:
        self._then = then
        self._make_campaign = make_campaign
        self._campaign = make_campaign(first)
        self._seeds = first.corpus / decode_worker.FOLDER
        self._stopped = self._paused = False

    def pause(self, paused: bool) -> None:
        """Let what runs rest, or go on."""
        self._paused = paused
        self._campaign.pause(paused)

    def stop(self) -> None:
        """Ask for the end: of both parts, if it is the first that runs."""
        self._stopped = True
        self._campaign.stop()

    def events(self) -> Generator[Event, None, None]:
        """Yield the events of both parts, with a :class:`Decoded` between them."""
        found = over = False
        for event in self._campaign.events():
            found = found or isinstance(event, Found)
            over = self._stopped or (found and self._then.until_finding)
            if not isinstance(event, Ended) or over:
                yield event
            else:
                done = event.progress
                yield Decoded(done.cases, done.seconds, done.corpus)
        if over:
            return
        self._campaign = self._make_campaign(
            replace(self._then, seeds=(*self._then.seeds, self._seeds))
        )
        if self._paused:
            self._campaign.pause(True)
        if self._stopped:
            self._campaign.stop()
        yield from self._campaign.events()
