"""The page at `/` in a real browser, against running members: `main.py HOSTS [CASE]`, exit code 1 when a case failed.

    kazoo ──creates, changes, deletes──► members ◄──looks, once a second── Chromium ◄──WebDriver── this program

Rule: what a case expects to see is what a person would see, the text of the page, and it is waited for, never the
page loaded anew.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(os.path.dirname(here), "kazoo")]

import browser  # noqa: E402
import harness  # noqa: E402
import looks  # noqa: E402,F401
import sees  # noqa: E402,F401

harness.main(*sys.argv[1:], within=browser.driver)
