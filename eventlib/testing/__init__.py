"""What users of eventlib test an aggregate or a store of their own with; needs the extra `testing`."""

import pytest

# So that a failed promise shows both sides of the comparison, as it would in a test of one's own.
for _module in ("decider", "state_machine", "store_contract"):
    pytest.register_assert_rewrite(f"eventlib.testing.{_module}")

from eventlib.testing.decider import check_aggregate, given  # noqa: E402
from eventlib.testing.state_machine import store_machine  # noqa: E402
from eventlib.testing.store_contract import StoreContract  # noqa: E402

__all__ = ["StoreContract", "check_aggregate", "given", "store_machine"]
