// wrapImports(): sockets for a program that another preview1 shim hosts.

import { WasmnetError } from "../lib/errors.js";
import { checkWrapOptions, listenersOf } from "./arguments.js";
import { Core } from "./core.js";
import { MissingImports, checkImports, combine, namespace } from "./bridge.js";
import { JspiBlocker } from "./jspi.js";
import { SabBlocker } from "./sab.js";
import { ClientTransport } from "./transport.js";
import { RemoteTransport } from "./remote.js";
import { pickStrategy } from "./run.js";
import { parseAddress } from "./address.js";

/** Sockets that guests open get descriptors from here on, far above those of a shim's files. */
const firstSocketFd = 512;

/** Where guests look for inherited listeners, if the shim has no directories. */
const firstListenerFd = 3;

export class WrappedImports {
  #core;
  #blocker;
  #memory;
  #listenerFd;

  /** The imports to instantiate the module with. */
  imports;

  constructor(imports, options) {
    checkWrapOptions(imports, options);
    let { memory, client, strategy = "auto", firstFd = firstSocketFd, listenerFd = firstListenerFd, onrefused } = options;
    this.#memory = memory ?? null;
    this.#listenerFd = listenerFd;
    const isLink = client !== undefined && client.requests !== undefined;
    if (isLink && strategy === "auto") strategy = "sab";
    const picked = pickStrategy(strategy, false);
    if ((picked === "sab") !== isLink) {
      throw new WasmnetError("invalid_argument", "client must be the link of shareClient() with strategy sab, and a WasmnetClient with jspi");
    }
    const transport = isLink ? new RemoteTransport(client) : new ClientTransport(client, onrefused);
    this.#blocker = isLink ? new SabBlocker(transport) : new JspiBlocker();
    const source = () => {
      const found = typeof this.#memory === "function" ? this.#memory() : this.#memory;
      if (!found) throw new TypeError("a call came before start(): the bridge knows no memory yet");
      return found;
    };
    this.#core = new Core({ memory: source, transport, blocker: this.#blocker, firstFd });
    this.imports = { ...imports, [namespace]: combine(imports[namespace] ?? {}, this.#core, this.#blocker) };
  }

  /** Throws MissingImports, naming every missing import of `module`. */
  check(module) { checkImports(module, this.imports); }

  /** Opens listeners for the guest before it starts, on the descriptors from `listenerFd` on; a Go guest needs them
   * with nonblocking: true. Resolves to their { host, port, fd }. */
  async listen(listeners) {
    listenersOf(listeners ?? null, "listeners");
    const opened = [];
    for (const { host = "127.0.0.1", port = 0, backlog, nonblocking } of listeners) {
      const listener = await this.#core.preopenListener({ bytes: parseAddress(host), port, backlog, nonblocking, fd: this.#listenerFd });
      opened.push({ host, ...listener });
    }
    return opened;
  }

  /**
   * Calls the export `name` and resolves to its result; rejects with the exception of the shim's proc_exit. The sockets that
   * the guest leaves open stay open until close().
   */
  async start(instance, name = "_start", ...args) {
    this.#memory ??= instance.exports.memory;
    return this.#blocker.wrapExport(instance.exports[name])(...args);
  }

  /** Closes every socket of the guest. */
  close() { this.#core.table.closeAll(); }
}

/** See index.d.ts. */
export const wrapImports = (imports, options) => new WrappedImports(imports, options);

export { MissingImports };
