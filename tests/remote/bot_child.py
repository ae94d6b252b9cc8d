"""A bot that records until it is killed, and says each number once its fill is durable.

Arguments: the address of the service, the spool, the first number and the number to end before.
"""

import sys

import onebook


def main() -> None:
    url, spool, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    book = onebook.connect(url, spool=spool, timeout_seconds=2)
    for number in range(first, last):
        fill = onebook.Fill(
            instrument="BTC/USDT",
            side="buy",
            quantity="0.01",
            price="60000",
            venue="binance",
            venue_fill_id=str(number),
        )
        assert book.record(fill).status == "queued"
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


main()
