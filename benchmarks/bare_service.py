"""One route with nothing behind it, `python -m benchmarks.bare_service PORT`: what Starlette and uvicorn cost alone.

It answers every GET with a small JSON document, on the loop and with the HTTP parser that the reference target has.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def answer(_: Request) -> Response:
    """A document of the size of an item."""
    return JSONResponse({"id": 1, "name": "Item 1", "price_cents": 8019, "degraded": False, "source": "cache"})


if __name__ == "__main__":
    app = Starlette(routes=[Route("/{rest:path}", answer, methods=["GET"])])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
