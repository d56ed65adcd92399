"""The stock Python client against a server: one scenario for each run.

Usage: client.py sync|asyncio polling|websocket|upgrade SCENARIO URL PATH

Prints nothing and exits with 0 where all is as it should be; what is not, it
says on stderr.
"""

import asyncio
import queue
import sys

import engineio
from in_order import in_order

PATIENCE = 10
BIG = 900_000
# Binary goes as base64 by polling: 900 kB would be past the payload limit.
BIG_BASE64 = 700_000
UNICODE = "é € 日本語 🦔 \u2028 \u2029 \u0000 end"

TRANSPORTS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}


class Threads:
    """The client that blocks, behind the face that the scenarios use."""

    def __init__(self):
        self.client = in_order(engineio.Client)()
        self.messages = queue.Queue()
        self.ended = queue.Queue()
        self.client.on("message", self.messages.put)
        self.client.on("disconnect", self.ended.put)

    async def connect(self, url, path, transports):
        self.client.connect(url, engineio_path=path, transports=transports)

    async def send(self, data):
        self.client.send(data)

    async def next(self):
        return self.messages.get(timeout=PATIENCE)

    async def disconnect(self):
        self.client.disconnect()

    async def end(self):
        return self.ended.get(timeout=3 * PATIENCE)


class Asyncio:
    """The client of asyncio, behind the same face."""

    def __init__(self):
        self.client = engineio.AsyncClient()
        self.messages = asyncio.Queue()
        self.ended = asyncio.Queue()

        # A handler of the caller's own kind: the client tells them apart.
        async def on_message(data):
            await self.messages.put(data)

        async def on_disconnect(reason):
            await self.ended.put(reason)

        self.client.on("message", on_message)
        self.client.on("disconnect", on_disconnect)

    async def connect(self, url, path, transports):
        await self.client.connect(url, engineio_path=path, transports=transports)

    async def send(self, data):
        await self.client.send(data)

    async def next(self):
        return await asyncio.wait_for(self.messages.get(), PATIENCE)

    async def disconnect(self):
        await self.client.disconnect()

    async def end(self):
        return await asyncio.wait_for(self.ended.get(), 3 * PATIENCE)


async def echoes(peer, *messages):
    for message in messages:
        await peer.send(message)
        equal(await peer.next(), message)


async def text(peer, _):
    await echoes(peer, "hello", "b4AQIDBA==", "1:2")


async def binary(peer, _):
    await echoes(peer, b"\x01\x02\x03\x04", bytes(range(256)))


async def unicode(peer, _):
    await echoes(peer, UNICODE, "🦔" * 1000)


async def big(peer, transport):
    await echoes(peer, "x" * BIG)
    await echoes(peer, b"+" * (BIG_BASE64 if transport == "polling" else BIG))
    await peer.send(f"cmd:bigbin {BIG}")
    equal(await peer.next(), b"*" * BIG)


async def burst(peer, _):
    await peer.send("cmd:burst 100")
    for index in range(100):
        equal(await peer.next(), str(index))


async def transport(peer, transport):
    equal(peer.client.transport(), "polling" if transport == "polling" else "websocket")
    await peer.send("cmd:transport")
    equal(await peer.next(), peer.client.transport())


async def close_by_client(peer, _):
    await peer.disconnect()
    equal(await peer.end(), peer.client.reason.CLIENT_DISCONNECT)


async def close_by_server(peer, _):
    await peer.send("cmd:close")
    await peer.end()
    equal(peer.client.state, "disconnected")


async def heartbeat(peer, _):
    """Longer than several times interval and timeout of the endpoint."""
    await peer.send("cmd:task 1500 later")
    equal(await peer.next(), "later")
    await echoes(peer, "still here")


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        text, binary, unicode, big, burst, transport, close_by_client, close_by_server, heartbeat,
    )
}  # fmt: skip


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.200}, wanted {wanted!r:.200}")


async def main(kind, transport_name, scenario, url, path):
    peer = {"sync": Threads, "asyncio": Asyncio}[kind]()
    await peer.connect(url, path, TRANSPORTS[transport_name])
    try:
        await SCENARIOS[scenario](peer, transport_name)
    finally:
        await peer.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
