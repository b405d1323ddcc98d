"""Servers that do nothing, to compare with: `python -m benchmarks.noop grpc|http PORT`."""

import sys
from concurrent.futures import ThreadPoolExecutor

THREADS = 16
"""As many as the API's gRPC server has."""
METHOD = "/benchmarks.Nothing/Do"


def serve_grpc(port: int) -> None:
    """Answer every call with one short message."""
    import grpc

    def do(request: bytes, _context: object) -> bytes:
        return request[:64]

    handler = grpc.method_handlers_generic_handler(
        METHOD.split("/")[1], {"Do": grpc.unary_unary_rpc_method_handler(do)}
    )
    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers([handler])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def serve_http(port: int) -> None:
    """Answer every POST with a small JSON object."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/nothing")
    async def nothing(body: dict[str, object]) -> dict[str, object]:
        return {"id": "nothing", "version": 1, "fields": len(body)}

    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    {"grpc": serve_grpc, "http": serve_http}[sys.argv[1]](int(sys.argv[2]))
