"""Opening a paper account: an account of the book that no total of live money ever covers."""

from collections.abc import Iterable

from onebook.book.core import Core
from onebook.domain.facts import Account, OpeningBalance
from onebook.domain.numbers import Number
from onebook.errors import RuleError


def open_paper_account(  # noqa: PLR0913  the parts of an account, by name
    book: Core,
    name: str,
    currency: str = "USD",
    opening: Number = 0,
    *,
    venue: str = "paper",
    mode: str = "netting",
    occurred_at: str | None = None,
) -> Account:
    """Define a paper account and put money into it; doing it again changes nothing.

    Args:
        book: that gets it.
        name: of the account.
        currency: in which its equities settle, and its money is.
        opening: how much money is there at the start, 0 or more.
        venue: that its fills will name.
        mode: ``netting``, or ``hedging`` with long and short legs apart.
        occurred_at: since when, RFC 3339; None: now. For replays: before the first bar.

    Returns:
        The account as it is defined.

    Raises:
        RuleError: the book has a live account of this name, one in another mode, or one that began with other money.

    Example:
        >>> import onebook
        >>> with onebook.open(":memory:") as book:
        ...     account = open_paper_account(book, "practice", "USD", "10000")
        ...     print(account.kind, book.balances(account="practice")[0].amount)
        paper 10000
    """
    held = {item.name: item for item in book.facts("account")}.get(name)
    if held is not None and held.kind != "paper":
        msg = f"account {name!r} is a live account; choose another name for the paper one"
        raise RuleError(msg, account=name)
    if held is not None and held.mode != mode:
        msg = f"account {name!r} is {held.mode} in the book and cannot become {mode}; give that one another name"
        raise RuleError(msg, account=name)
    account = Account(name=name, venue=venue, currency=currency, mode=mode, kind="paper")
    balance = OpeningBalance(
        account=name, balance_id=f"paper-{name}", currency=currency, amount=opening, occurred_at=occurred_at
    )
    if held is None:
        book.record(account)
    if balance.amount:
        receipt = book.record(balance)
        if receipt.status == "conflict":
            msg = f"account {name!r} began with other money than {opening} {currency}; record a Transfer to change it"
            raise RuleError(msg, account=name)
    return held or account


def paper_accounts(book: Core, names: Iterable[str]) -> dict[str, Account]:
    """Return the definitions of paper accounts.

    Raises:
        RuleError: one is a live account, or not defined.
    """
    wanted = sorted(names)
    defined = {item.name: item for item in book.facts("account")}
    for name in wanted:
        found = defined.get(name)
        if found is None or found.kind != "paper":
            what = "is not defined" if found is None else "is a live account"
            msg = f"account {name!r} {what}; a paper venue trades paper accounts only: open_paper_account makes one"
            raise RuleError(msg, account=name)
    return {name: defined[name] for name in wanted}
