"""The campaign: starts workers, listens to them, and yields what happened as events."""

from fuzz.campaign.campaign import Campaign
from fuzz.campaign.decoder_first import DecoderFirst
from fuzz.campaign.seat import WorkerMain

__all__ = ["Campaign", "DecoderFirst", "WorkerMain"]
