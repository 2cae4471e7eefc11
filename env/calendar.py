"""Weeks, Mondays, and when a decision is due.  One tick is one week."""

from __future__ import annotations

from datetime import date, timedelta

WEEKS_PER_YEAR = 52.0


def is_monday(day: date) -> bool:
    """True on the day a week begins."""
    return day.weekday() == 0


def monday_of(day: date) -> date:
    """The Monday of the week that holds `day`."""
    return day - timedelta(days=day.weekday())


def week_date(start: date, week: int) -> date:
    """Date (Monday) of week `week`, counted from `start` (week 0)."""
    return start + timedelta(weeks=week)


def week_index(start: date, day: date) -> int:
    """Week that holds `day`, counted from `start`; negative before it."""
    return (day - start).days // 7


def first_week_from(start: date, day: date) -> int:
    """First week whose Monday is not before `day`: from then on something dated `day` holds."""
    return -((start - day).days // 7)


def weeks_between(start: date, end: date) -> int:
    """Number of weekly ticks from `start` to the week that holds `end`, both included."""
    return max(0, week_index(start, end) + 1)


def is_month_start(day: date) -> bool:
    """True in the week that holds the first Monday of a month."""
    return day.day <= 7


def is_quarter_start(day: date) -> bool:
    """True in the week that holds the first Monday of a quarter."""
    return day.day <= 7 and day.month in (1, 4, 7, 10)


def is_year_start(day: date) -> bool:
    """True in the week that holds the first Monday of a year."""
    return day.day <= 7 and day.month == 1


def quarter(day: date) -> str:
    """`2025Q1`."""
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


#: Mondays of the Chinese New Year weeks; holiday closures of plants (public calendar).
CHINESE_NEW_YEAR = {
    2024: date(2024, 2, 10), 2025: date(2025, 1, 29), 2026: date(2026, 2, 17), 2027: date(2027, 2, 6),
    2028: date(2028, 1, 26), 2029: date(2029, 2, 13), 2030: date(2030, 2, 3), 2031: date(2031, 1, 23),
    2032: date(2032, 2, 11), 2033: date(2033, 1, 31), 2034: date(2034, 2, 19), 2035: date(2035, 2, 8),
    2036: date(2036, 1, 28), 2037: date(2037, 2, 15), 2038: date(2038, 2, 4), 2039: date(2039, 1, 24),
    2040: date(2040, 2, 12),
}  # fmt: skip


def is_chinese_new_year(day: date) -> bool:
    """True in the two weeks of the Chinese New Year holiday (the week of the day and the next)."""
    new_year = CHINESE_NEW_YEAR.get(day.year, date(day.year, 2, 5))
    return 0 <= (day - monday_of(new_year)).days < 14
