"""A bare ASGI application that answers every request with the same bytes: what a service is measured against."""

import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn


def main(path: str) -> None:
    """Serve the bytes of a file on a free port, and print the address."""
    body = Path(path).read_bytes()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    taken = socket.create_server(("127.0.0.1", 0))
    print(f'{{"url": "http://127.0.0.1:{taken.getsockname()[1]}"}}', flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False)
    uvicorn.Server(config).run(sockets=[taken])


if __name__ == "__main__":
    main(sys.argv[1])
