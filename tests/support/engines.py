"""On which database engine a test runs: on both, unless it says otherwise."""

import pytest

whatever_the_engine = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For many cases of a decision that no SQL takes part in: on one. What it leads to is tested on both elsewhere."""
