"""Records fills at a steady pace, then says that it is done. Arguments: the path, how many, and how many a second."""

import sys
import time

import onebook


def main() -> None:
    path, count, per_second = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with onebook.open(path) as book:
        for number in range(count):
            book.record(
                onebook.Fill(
                    instrument="BTC/USDT",
                    side="buy" if number % 2 else "sell",
                    quantity="0.01",
                    price=str(60_000 + number % 100),
                    venue="binance",
                    venue_fill_id=str(number),
                )
            )
            time.sleep(1 / per_second)
        book.publish("writer.done")


main()
