"""Rooms of people with names, on python-socketio. worker.rs is the same on Dormouse."""

import asyncio
import os

import socketio
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp")
app = web.Application()
sio.attach(app)


@sio.event
async def connect(sid, environ, auth):
    name = (auth or {}).get("name")
    if not name:
        raise socketio.exceptions.ConnectionRefusedError("who are you?")
    await sio.save_session(sid, name)
    await sio.enter_room(sid, f"user {name}")


@sio.event
async def join(sid, room):
    """Enters a room. Who is there is the acknowledgement."""
    room = f"room {room}"
    await sio.enter_room(sid, room)
    await sio.emit("joined", await sio.get_session(sid), room=room, skip_sid=sid)
    return sorted([await sio.get_session(other) for other in members(room)])


@sio.event
async def say(sid, room, text):
    room = f"room {room}"
    if room not in sio.rooms(sid):
        return {"error": "join the room first"}
    await sio.emit("said", (await sio.get_session(sid), text), room=room, skip_sid=sid)


@sio.event
async def whisper(sid, name, text):
    """To all devices of one person."""
    await sio.emit("whispered", (await sio.get_session(sid), text), room=f"user {name}")


@sio.event
async def ask(sid, room, question):
    """Asks everybody in a room. What they answer within a second is the acknowledgement."""

    async def answer_of(other):
        try:
            return await sio.call("asked", question, to=other, timeout=1)
        except socketio.exceptions.TimeoutError:
            return None

    answers = await asyncio.gather(*map(answer_of, members(f"room {room}")))
    return sorted(answer for answer in answers if answer is not None)


@sio.event
async def remind(sid, seconds, text):
    name = await sio.get_session(sid)

    async def later():
        await sio.sleep(seconds)
        await sio.emit("reminder", text, room=f"user {name}")

    sio.start_background_task(later)


@sio.event
async def disconnect(sid, reason):
    for room in sio.rooms(sid):
        if room.startswith("room "):
            await sio.emit("left", await sio.get_session(sid), room=room, skip_sid=sid)


def members(room):
    return [sid for sid, _ in sio.manager.get_participants("/", room)]


async def announce(request):
    """`POST /announce/<room>` tells everybody in it."""
    await sio.emit("announced", await request.text(), room=f"room {request.match_info['room']}")
    return web.Response()


app.router.add_post("/announce/{room}", announce)
web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", 3000)))
