"""Campaigns on several machines: slices of time that the workers of a Dask cluster play.

It takes the extra ``cluster``. Each slice pulls the shared corpus, plays a campaign on its own
machine, and pushes what is new, while it plays and at its end. Names are hashes of contents, so
nobody waits for anybody.
"""
