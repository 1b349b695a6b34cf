"""A WebSocket client for load tests: asyncio, standard library, binary messages only.

It has only what a client of a node needs: no extensions, no fragments when sending, answers to pings, messages of up to 16 MiB.
"""
import asyncio
import base64
import os
import struct

LARGEST = 16 << 20


class Refused(ConnectionError):
    """The handshake got a status other than 101, or no answer."""

    def __init__(self, status, text=""):
        super().__init__(f"{status} {text}")
        self.status = status


class WebSocket(asyncio.Protocol):
    """Calls `on_message(bytes)` and, once, `on_close(code, reason)`, with code 1006 if no close frame came, as in browsers."""

    def __init__(self, on_message, on_close, host="localhost", headers=(), path="/"):
        self.on_message, self.on_close, self.host, self.headers, self.path = on_message, on_close, host, headers, path
        self.opened = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()
        self.is_open = self.is_over = False
        self.closing = (1006, "")
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {self.host}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: wasmnet.v2", *self.headers, "", ""]
        transport.write("\r\n".join(lines).encode())

    def data_received(self, data):
        self.buffer += data
        if not self.is_open and not self.read_answer():
            return
        self.read_frames()

    def read_answer(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].decode(errors="replace")
        del self.buffer[:end + 4]
        status = head.split(" ", 2)[1] if head.startswith("HTTP/1.") else "no HTTP"
        if status != "101":
            self.fail(Refused(status, head.split("\r\n")[0]))
            self.transport.abort()
            return False
        self.is_open = True
        if not self.opened.done():
            self.opened.set_result(None)
        return True

    def read_frames(self):
        buffer, at = self.buffer, 0
        while len(buffer) - at >= 2:
            first, size, start = buffer[at], buffer[at + 1], at + 2
            if size == 126:
                if len(buffer) < start + 2:
                    break
                size, start = struct.unpack_from(">H", buffer, start)[0], start + 2
            elif size == 127:
                if len(buffer) < start + 8:
                    break
                size, start = struct.unpack_from(">Q", buffer, start)[0], start + 8
            if size > LARGEST:
                self.transport.abort()
                return
            if len(buffer) < start + size:
                break
            payload, at = bytes(buffer[start:start + size]), start + size
            self.frame(first, payload)
        if at:
            del buffer[:at]

    def frame(self, first, payload):
        if first == 0x82:
            self.on_message(payload)
        elif first == 0x89:
            self.write(0x8A, payload)
        elif first == 0x88:
            self.closing = (struct.unpack_from(">H", payload)[0], payload[2:].decode(errors="replace")) if len(payload) >= 2 else (1005, "")
            self.write(0x88, payload[:2])
            self.transport.close()
        elif first != 0x8A:
            self.closing = (1002, f"a frame that begins with {first:#x}")
            self.transport.abort()

    def write(self, first, payload):
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", first, 0x80 | size)
        elif size < 65_536:
            head = struct.pack(">BBH", first, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", first, 0x80 | 127, size)
        # Masking protects intermediate caches from a page's bytes, which is not needed here: a key of zeros is valid and changes nothing.
        self.transport.write(head + b"\0\0\0\0" + payload)

    def send(self, message):
        if not self.is_over:
            self.write(0x82, message)

    def close(self, code=1000):
        if not self.is_over:
            self.write(0x88, struct.pack(">H", code))

    def fail(self, error):
        if not self.opened.done():
            self.opened.set_exception(error)
            # Marks the exception as read: nothing may be waiting for it.
            self.opened.exception()

    def connection_lost(self, error):
        self.is_over = True
        self.fail(Refused("closed", str(error or "")))
        self.on_close(*self.closing)
