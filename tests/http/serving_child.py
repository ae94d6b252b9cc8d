"""Serves a book until it is killed. Arguments: the path, and the port. Prints its address."""

import sys

import onebook
from onebook.config import config_for
from onebook.http.service import make_service
from onebook.http.serving import Serving


def main() -> None:
    path, port = sys.argv[1], int(sys.argv[2])
    with onebook.open(path) as book:
        serving = Serving(make_service(book, config_for({})), "127.0.0.1", port, log=False)
        sys.stdout.write(f"{serving.url}\n")
        sys.stdout.flush()
        serving.run()


main()
