"""FastAPI: the same list, from rows that lie ready in memory, encoded for each request as FastAPI does it.

Argument: a file with the answer. Prints the address as JSON, and serves until it is ended.
"""

import json
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI  # type: ignore[import-not-found]

with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123  the peer's own environment, plain tools
    PAGE = json.load(file)

app = FastAPI()


@app.get("/v1/positions")  # type: ignore[untyped-decorator]
async def positions() -> Any:
    """Return the page."""
    return PAGE


if __name__ == "__main__":
    taken = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"url": f"http://127.0.0.1:{taken.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False)
    uvicorn.Server(config).run(sockets=[taken])
