// The bridge between a guest's socket calls and a transport: decodes the ABIs into operations on a table of sockets. It does not
// depend on a browser; the blocker decides whether an operation that has to wait suspends (JSPI) or blocks (SharedArrayBuffer).

import { Errno } from "./errno.js";
import { familyOf, formatAddress } from "./address.js";
import { Fault, GuestMemory } from "./memory.js";
import { AGAIN, SocketTable, retrying } from "./table.js";
import { TcpSocket } from "./tcp.js";
import { UdpSocket } from "./udp.js";
import { pollOneoff, preview1Functions } from "./preview1.js";
import { extensionFunctions, secondFormFunctions } from "./extension.js";

/** The clocks of poll_oneoff, in ms. */
export const systemClock = {
  monotonic: () => performance.now(),
  realtime: () => performance.timeOrigin + performance.now(),
};

export class Core {
  /**
   * @param memory a WebAssembly.Memory, or a function that returns it
   * @param transport opens sockets: see transport.js
   * @param blocker run(table, operation, options): see jspi.js and sab.js
   * @param firstFd the lowest descriptor for a socket
   * @param taken (fd) => whether the base shim uses that descriptor
   * @param baseReadiness (fd, forReading) => { ready, bytes, hangup } of a descriptor that is not a socket, or undefined
   */
  constructor({ memory, transport, blocker, clock = systemClock, firstFd = 3, taken, baseReadiness = () => undefined }) {
    this.memory = new GuestMemory(memory);
    this.transport = transport;
    this.clock = clock;
    this.table = new SocketTable({ firstFd, taken });
    this.#blocker = blocker;
    this.#baseReadiness = baseReadiness;
    this.readiness = (fd, forReading) => {
      const socket = this.table.get(fd);
      if (!socket) return this.#baseReadiness(fd, forReading);
      return forReading ? socket.readable() : socket.writable();
    };
  }

  #blocker;
  #baseReadiness;
  #aborted = null;

  /**
   * Runs an operation to its end: an errno, or a promise of one. `nonblocking` never waits; `timeout` (ms, 0: none) and
   * `deadline` (ms of the monotonic clock) bound the wait, after which the result is EAGAIN, or what `ended` makes of the progress.
   */
  run(operation, { nonblocking = false, timeout = 0, deadline = Infinity, ended } = {}) {
    if (timeout > 0) deadline = Math.min(deadline, this.clock.monotonic() + timeout);
    const result = this.#blocker.run(this.table, () => this.#attempt(operation), { nonblocking, deadline, clock: this.clock });
    if (!ended) return result;
    const settle = (errno) => {
      if (errno !== Errno.AGAIN) return errno;
      const late = this.#attempt(ended);
      return late === AGAIN ? Errno.AGAIN : late < 0 ? -late : 0;
    };
    return result instanceof Promise ? result.then(settle) : settle(result);
  }

  newSocket(type, family) {
    return new (type === "stream" ? TcpSocket : UdpSocket)(this.table, this.transport, family);
  }

  /** Opens a listener before the guest starts, as preview1's guests expect. Resolves to its descriptor and port. */
  async preopenListener({ bytes, port, backlog = 128, nonblocking = false, fd }) {
    const socket = this.newSocket("stream", familyOf(bytes));
    const settle = async (start, ask) => {
      const errno = await this.run(retrying(start, ask));
      if (errno !== 0) throw new ListenError(errno, `cannot listen on ${formatAddress(bytes)} port ${port}`);
    };
    await settle(() => socket.bind(bytes, port), () => socket.bindResult());
    await settle(() => socket.listen(backlog) || socket.listenResult(), () => socket.listenResult());
    socket.nonblocking = nonblocking;
    return { fd: this.table.add(socket, fd), port: socket.localAddress().port };
  }

  /** Every pending and later call throws `reason` into the guest, which ends it. */
  abort(reason) {
    this.#aborted = { reason };
    this.table.changed();
  }

  /**
   * The import functions of wasi_snapshot_preview1 that this bridge implements. Those in `shared` take any descriptor and pass
   * other descriptors to the base shim; those in `own` are for sockets only.
   */
  functions() {
    const own = { ...extensionFunctions(this) };
    const shared = {};
    for (const [name, call] of Object.entries(preview1Functions(this))) {
      if (name.startsWith("sock_")) own[name] = (...args) => (this.table.has(args[0]) ? call(...args) : this.table.missing(args[0]));
      else shared[name] = this.faultless(call);
    }
    for (const [name, call] of Object.entries(own)) own[name] = this.faultless(call);
    Object.assign(own, secondFormFunctions(own));
    return { own, shared, poll: this.faultless(pollOneoff(this)) };
  }

  #attempt(operation) {
    if (this.#aborted) throw this.#aborted.reason;
    try {
      return operation();
    } catch (error) {
      if (error instanceof Fault) return -error.errno;
      throw error;
    }
  }

  /** `call` as a function for the guest, whose arguments must not cause an exception in it: a bad address is an errno. */
  faultless(call) {
    return (...args) => {
      try {
        return call(...args);
      } catch (error) {
        if (error instanceof Fault) return error.errno;
        throw error;
      }
    };
  }
}

/** A listener that could not be opened for the guest. */
export class ListenError extends Error {
  constructor(errno, message) {
    super(`${message} (errno ${errno})`);
    this.name = "ListenError";
    this.errno = errno;
  }
}
