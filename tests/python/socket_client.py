"""The stock Python client of Socket.IO against a server: all scenarios in a row.

Usage: socket_client.py sync|asyncio polling|websocket|upgrade URL PATH

Runs with python-socketio 5 and 4 alike. Prints the name of each scenario that is
as it should be; what is not, it says on stderr.
"""

import asyncio
import inspect
import queue
import sys

import socketio
from in_order import in_order

PATIENCE = 10
UNICODE = "é € 日本語 🦔 \u2028 \u2029 \u0000 end"
TRANSPORTS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}
EVENTS = ("message-back", "any", "n", "news", "big")


class Client(socketio.Client):
    """An attachment must not come to the parser before its packet."""

    def _engineio_client_class(self):
        return in_order(super()._engineio_client_class())


class Peer:
    """Either form of the client, behind one face: what it returns may be awaited."""

    def __init__(self, kind, url, path, transports):
        self.kind, self.url, self.path, self.transports = kind, url, path, transports
        self.events = {}
        self.joined = set()
        self.client = {"sync": Client, "asyncio": socketio.AsyncClient}[kind](
            reconnection=False
        )
        for namespace in ("/", "/chat"):
            for event in EVENTS:
                self.client.on(event, self.listener(event), namespace=namespace)
            self.client.on("connect", self.join(namespace), namespace=namespace)
            self.client.on("question", lambda *args: args, namespace=namespace)

    def join(self, namespace):
        return lambda: self.joined.add(namespace)

    def listener(self, event):
        arrived = self.events.setdefault(event, queue.Queue())
        return lambda *args: arrived.put(args)

    async def connect(self):
        await maybe(
            self.client.connect(
                self.url,
                socketio_path=self.path,
                transports=self.transports,
                namespaces=["/", "/chat"],
            )
        )
        while self.transports == TRANSPORTS["upgrade"] and self.client.transport() == "polling":
            await asyncio.sleep(0.01)
        # The older client returns before its namespaces are joined.
        while len(self.joined) < 2:
            await asyncio.sleep(0.01)

    async def emit(self, event, *args):
        await maybe(self.client.emit(event, args))

    async def ask(self, event, *args, namespace=None):
        """The acknowledgement: one value as it is, several as a tuple."""
        return await maybe(
            self.client.call(event, args, namespace=namespace, timeout=PATIENCE)
        )

    async def next(self, event):
        for _ in range(PATIENCE * 100):
            try:
                return self.events[event].get_nowait()
            except queue.Empty:
                await asyncio.sleep(0.01)
        raise AssertionError(f"no {event}")

    async def disconnect(self):
        await maybe(self.client.disconnect())


async def maybe(result):
    return await result if inspect.isawaitable(result) else result


async def events(peer):
    for args in ((1,), (UNICODE, None, [1.5, {"a": True}]), (b"\x00\xff", {"b": [b".", "c"]})):
        await peer.emit("message", *args)
        equal(await peer.next("message-back"), args)


async def acknowledgements(peer):
    equal(await peer.ask("message-with-ack", 1, "two", b"3"), (1, "two", b"3"))
    equal(await peer.ask("typed", "a", 5), "a:5")
    equal(await peer.ask("echo-nothing"), None)
    equal(await peer.ask("ask", 5000, "x", b"y"), ("answer", "x", b"y"))


async def a_second_namespace(peer):
    sid, name = await peer.ask("who", namespace="/chat")
    equal(name, "/chat")
    equal(sid != (await peer.ask("who"))[0], True)


async def rooms(peer):
    equal(await peer.ask("join", ["a", "b"]), ["a", "b"])
    equal(await peer.ask("cast", {"from": "server", "to": ["a"]}, "news", b"1", UNICODE), "ok")
    equal(await peer.next("news"), (b"1", UNICODE))
    equal(await peer.ask("leave", "a"), ["b"])


async def a_large_payload(peer):
    await peer.emit("message", "x" * 500_000)
    equal(await peer.next("message-back"), ("x" * 500_000,))
    await peer.emit("big", 700_000)
    equal(await peer.next("big"), ("x" * 700_000,))


async def a_burst(peer):
    await peer.emit("burst", 100)
    for index in range(100):
        equal(await peer.next("n"), (index,))


SCENARIOS = (events, acknowledgements, a_second_namespace, rooms, a_large_payload, a_burst)


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.200}, wanted {wanted!r:.200}")


async def main(kind, transport, url, path):
    peer = Peer(kind, url, path, TRANSPORTS[transport])
    await peer.connect()
    try:
        for scenario in SCENARIOS:
            await scenario(peer)
            print(scenario.__name__)
    finally:
        await peer.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
