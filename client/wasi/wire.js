// The messages between a guest's thread and the client's thread.

/** From the guest. */
export const Request = Object.freeze({
  connect: 1, bind: 2, connectUdp: 3, bindUdp: 4, send: 5, sendTo: 6, shutdown: 7, close: 8, reset: 9, consumed: 10, resolve: 11,
  inputConsumed: 12,
});

/** To the guest. */
export const Event = Object.freeze({
  opened: 129, data: 130, datagram: 131, accepted: 132, writable: 133, ended: 134, failed: 135, closed: 136, resolved: 137,
  input: 138, inputEnd: 139, abort: 140, outputTaken: 141,
});

/** The maximum bytes that a guest may have pending on one socket before the other thread has passed them on. */
export const sendWindow = 256 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encodeJson = (value) => encoder.encode(JSON.stringify(value));
export const decodeJson = (bytes) => JSON.parse(decoder.decode(bytes));
export const encodeText = (text) => encoder.encode(text);
export const decodeText = (bytes) => decoder.decode(bytes);

export function encodeCount(count) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, count);
  return bytes;
}

export const decodeCount = (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

/** A datagram's other end before its bytes: u16 port, u8 length of the host, host. */
export function encodePeer(host, port) {
  const name = encoder.encode(host);
  return Uint8Array.of(port >> 8, port & 255, name.length, ...name);
}

export function decodePeer(bytes) {
  const end = 3 + bytes[2];
  return { port: (bytes[0] << 8) | bytes[1], host: decoder.decode(bytes.subarray(3, end)), data: bytes.subarray(end) };
}
