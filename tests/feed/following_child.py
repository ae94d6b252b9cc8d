"""Follow a book and print the ids of its events. Arguments: the path, how, and for ``record`` how many to record."""

import asyncio
import sys
import threading

import onebook


def say(event: onebook.Event) -> None:
    sys.stdout.write(f"{event.id}\n")
    sys.stdout.flush()


def ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def follow(book: onebook.Book) -> None:
    stream = book.aio.events()
    ready()
    async for event in stream:
        say(event)


def main() -> None:
    path, how = sys.argv[1:3]
    book = onebook.open(path)
    if how == "aio":
        asyncio.run(follow(book))
    if how == "events":
        head = book.status().entries
        ready()
        for event in book.events(after=head, follow=True):
            say(event)
    if how == "subscribe":
        book.subscribe("audit", say, start="beginning")
    else:
        book.listen(say)
    ready()
    if how == "record":
        for number in range(int(sys.argv[3])):
            book.record(onebook.Fill(instrument="ETH/USD", side="buy", quantity=1, price=5, venue_fill_id=str(number)))
    threading.Event().wait()


main()
