"""A campaign as one page of HTML: for the manager above, for the engineer below.

:mod:`~fuzz.report.html.gather` reads the folder of a campaign into the values of
:mod:`~fuzz.report.html.model`, :mod:`~fuzz.report.html.render` turns these into a page that needs
nothing else, and :mod:`~fuzz.report.html.server` shows the same live. None of them writes to the
folder, so that all of it works beside a campaign that runs.
"""
