"""Exact numbers: one decimal context of our own, and the few operations the rules need.

Sums, differences and products are exact; a result that would not be raises instead of rounding. Quotients
are rounded once, half to even, at 18 places, whatever the size of the numbers. The thread's own context is never used,
so a caller that changed it cannot change a figure.

Source: General Decimal Arithmetic 1.70 for the operations; ``docs/explanation/numbers.md`` for the limits.
"""

import decimal
from decimal import Decimal

from onebook.errors import InputError, PrecisionLost

PLACES = 18
"""Most digits after the point of a price, quantity or amount, and of a rounded quotient."""

WHOLE_DIGITS = 20
"""Most digits before the point of a price, quantity or amount."""

ZERO = Decimal(0)
ONE = Decimal(1)

Number = Decimal | int | str
"""What is taken where a number is asked for. Floats are not: they have lost their exact value already."""

CONTEXT = decimal.Context(
    prec=200,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-9999,
    Emax=9999,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)

add = CONTEXT.add
subtract = CONTEXT.subtract
multiply = CONTEXT.multiply
fma = CONTEXT.fma
negate = CONTEXT.minus
absolute = CONTEXT.abs
_STEP = Decimal(1).scaleb(-PLACES)
_DIVISION = decimal.Context(
    prec=200,
    rounding=decimal.ROUND_05UP,
    Emin=-9999,
    Emax=9999,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_ROUNDING = decimal.Context(
    prec=200, rounding=decimal.ROUND_HALF_EVEN, Emin=-9999, Emax=9999, traps=[decimal.InvalidOperation]
)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Return dividend / divisor, rounded once, half to even, at 18 places.

    The division stops at 200 digits and rounds its last one to 1 or 6 where it would be 0 or 5 and something is
    left, so that rounding it again cannot take what is nearly a half for one.

    Raises:
        ZeroDivisionError: the divisor is 0.
    """
    return _ROUNDING.quantize(_DIVISION.divide(dividend, divisor), _STEP)


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return amount × part ÷ whole, rounded once at 18 places, and exactly amount when part is whole."""
    if part == whole:
        return amount
    return quotient(multiply(amount, part), whole)


def plain(value: Decimal) -> str:
    """Return the number as text without exponent and without trailing zeros."""
    if value is ZERO:
        return "0"
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if text[-1] != "0":
        return text
    if "." in text:
        text = text.rstrip("0")
        if text[-1] == ".":
            text = text[:-1]
    return "0" if text == "-0" else text


def canonical(value: Decimal) -> Decimal:
    """Return the same value with the fewest digits that show it, and no exponent above zero."""
    return Decimal(plain(value))


def number(field: str, value: object) -> Decimal:
    """Take a number exactly.

    Args:
        field: its name, for the message.
        value: a Decimal, an int or decimal text.

    Raises:
        PrecisionLost: a float, or more than 18 places or 20 whole digits.
        InputError: not a number.
    """
    if type(value) is Decimal:
        text = str(value)
        if len(text) <= PLACES and "E" not in text and "N" not in text and "I" not in text:
            return value or ZERO  # written out in so few characters it is within both limits
        result = value
    elif isinstance(value, bool):
        msg = f"{field}: {value} is not a number"
        raise InputError(msg, field=field, value=value)
    elif isinstance(value, str):
        result = _parse(field, value)
    elif isinstance(value, int):
        if abs(value) >= 10**WHOLE_DIGITS:
            msg = f"{field}: more than {WHOLE_DIGITS} digits before the point"
            raise PrecisionLost(msg, field=field, value=value)
        return Decimal(value)
    elif isinstance(value, float):
        msg = (
            f"{field}: a float has lost its exact value; write {field}={str(value)!r}"
            f" or {field}=onebook.exact({value!r})"
        )
        raise PrecisionLost(msg, field=field, value=value)
    elif isinstance(value, Decimal):
        result = Decimal(value)
    else:
        msg = f"{field}: {type(value).__name__} is not a number; use text such as '0.5', an int or a Decimal"
        raise InputError(msg, field=field, value=value)
    return _within_limits(field, result)


def _parse(field: str, text: str) -> Decimal:
    stripped = text.strip()
    if not stripped or len(stripped) > 200 or not stripped.isascii() or "_" in stripped:
        msg = f"{field}: {text[:40]!r} is not a number"
        raise InputError(msg, field=field, value=text)
    try:
        return CONTEXT.create_decimal(stripped)
    except decimal.Inexact:
        msg = f"{field}: {text[:40]!r} has more digits than can be kept"
        raise PrecisionLost(msg, field=field, value=text) from None
    except decimal.DecimalException:
        msg = f"{field}: {text[:40]!r} is not a number"
        raise InputError(msg, field=field, value=text) from None


def _within_limits(field: str, value: Decimal) -> Decimal:
    text = str(value)
    if len(text) <= PLACES and "E" not in text and "N" not in text and "I" not in text:
        return value or ZERO  # written out in so few characters it is within both limits
    exponent = value.as_tuple().exponent
    if isinstance(exponent, str):
        msg = f"{field}: {value} is not a number that can be booked"
        raise InputError(msg, field=field, value=value)
    if -PLACES <= exponent <= 0 and value.adjusted() < WHOLE_DIGITS:
        return value if exponent == 0 or value else ZERO
    if value and value.adjusted() >= WHOLE_DIGITS:
        msg = f"{field}: {value} has more than {WHOLE_DIGITS} digits before the point"
        raise PrecisionLost(msg, field=field, value=value)
    if not value:
        return ZERO
    result = canonical(value)
    places = result.as_tuple().exponent
    if isinstance(places, int) and -places > PLACES:
        msg = f"{field}: {result:f} has {-places} places after the point; at most {PLACES} are kept exactly"
        raise PrecisionLost(msg, field=field, value=value)
    return result


def exact(value: float) -> Decimal:
    """Return the shortest decimal that reads back as this float, on purpose.

    Example:
        >>> exact(1.1)
        Decimal('1.1')

    Raises:
        InputError: infinite or not a number.
        PrecisionLost: more digits than can be kept.
    """
    given: object = value
    return number("value", repr(given) if isinstance(given, float) else given)


def split_parts(amount: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """Split an amount by weights; the rounded parts add up to it, the last digit goes to the largest.

    Args:
        amount: any sign.
        weights: any signs; their sum is not 0.
    """
    total = ZERO
    for weight in weights:
        total = add(total, weight)
    parts = [share(amount, weight, total) for weight in weights]
    rest = amount
    for part in parts:
        rest = subtract(rest, part)
    if rest:
        largest = max(range(len(weights)), key=lambda index: absolute(weights[index]))
        parts[largest] = add(parts[largest], rest)
    return parts
