"""Olist's amounts and times of day, read without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.orders.olist.amount import amount_of, cents_of
from eventlib.orders.olist.local_time import moment_of
from eventlib.orders.olist.quirks import Quirk


class TestAmounts:
    @given(st.integers(0, 10**12 - 1))
    def test_every_amount_is_read_back(self, cents: int) -> None:
        assert cents_of(amount_of(cents)) == cents

    @given(st.decimals(min_value=0, max_value=10**9, places=2))
    def test_it_is_what_decimal_says(self, amount: Decimal) -> None:
        assert cents_of(f"{amount:f}") == amount * 100

    @pytest.mark.parametrize(("text", "cents"), [("99", 9900), ("109.9", 10990), ("0", 0), ("0.01", 1), ("007.5", 750)])
    def test_short_forms(self, text: str, cents: int) -> None:
        assert cents_of(text) == cents

    @pytest.mark.parametrize(
        "text", ["", "-1", "+1", "1.234", "1.", ".5", "1e2", "1,50", " 1", "1\n", "NaN", "٣", "9" * 11]
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not an amount"):
            cents_of(text)

    @given(st.text(max_size=12))
    def test_whatever_is_read_is_exact(self, text: str) -> None:
        try:
            cents = cents_of(text)
        except ValueError:
            return
        assert Decimal(text) * 100 == cents


class TestLocalTime:
    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("10/2/2017 10:56", datetime(2017, 10, 2, 13, 56, tzinfo=UTC)),
            ("2017-10-02 10:56:33", datetime(2017, 10, 2, 13, 56, 33, tzinfo=UTC)),
            ("1/9/2018 0:05", datetime(2018, 1, 9, 2, 5, tzinfo=UTC)),  # summer time
            ("12/31/2016 23:59", datetime(2017, 1, 1, 1, 59, tzinfo=UTC)),
        ],
    )
    def test_both_formats_are_sao_paulos_time(self, text: str, at: datetime) -> None:
        moment = moment_of(text)
        assert (moment.at, moment.quirk, moment.note) == (at, None, None)

    def test_a_skipped_time_is_read_with_the_offset_before(self) -> None:
        moment = moment_of("10/15/2017 0:30")
        assert (moment.at, moment.quirk) == (datetime(2017, 10, 15, 3, 30, tzinfo=UTC), Quirk.LOCAL_TIME_SKIPPED)

    def test_of_a_time_that_was_twice_the_earlier_is_taken(self) -> None:
        moment = moment_of("2018-02-17 23:30:00")
        assert (moment.at, moment.quirk) == (datetime(2018, 2, 18, 1, 30, tzinfo=UTC), Quirk.LOCAL_TIME_TWICE)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2017-10-02",
            "2017-10-02T10:56:33",
            "2/30/2017 10:00",
            "13/1/2017 10:00",
            "1/1/2017 24:00",
            "1/1/2017 1:5",
            "1/1/17 1:00",
            "1/1/2017 10:00:00",
            "0000-01-01 00:00:00",
            "9999-12-31 23:00:00",
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            moment_of(text)
