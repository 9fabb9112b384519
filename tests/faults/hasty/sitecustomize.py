"""On a path that Python starts with, has every process wait for storage for seconds instead of minutes.

How patient the product is belongs to no setting, and tests of a whole run cannot wait so long.
"""

from __future__ import annotations

from flows.storage import base, opening

HASTY = base.Patience(attempts=2, rounds=3, wait_s=0.05, connect_timeout_s=5, read_timeout_s=4)

for use in (opening.open_storage, opening.read_uri, opening.stat_uri):
    use.__kwdefaults__ = {**(use.__kwdefaults__ or {}), "patience": HASTY}
