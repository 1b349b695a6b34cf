// wasi:sockets 0.2 for components that jco transpiled: ES-module classes over the same sockets. Calls that may wait (poll, block,
// blocking reads and writes) return promises: transpile with --async-mode jspi.

import { clientOf } from "./arguments.js";
import { parseAddress } from "./address.js";
import { SocketTable } from "./table.js";
import { ClientTransport } from "./transport.js";
import { ioInterfaces } from "./sockets02-io.js";
import { tcpInterfaces } from "./sockets02-tcp.js";
import { udpInterfaces } from "./sockets02-udp.js";
import { dispose, must, toIpAddress } from "./sockets02-values.js";

const lookupErrors = { policy_denied: "access-denied", denylisted: "access-denied", name_not_found: "name-unresolvable" };

/** Letters, digits and the characters that registries allow; the node checks the rest. */
const isName = (name) => name.length > 0 && name.length <= 253 && !/[\s/:@[\]%]/.test(name);

/**
 * The modules of one component, by their names without versions: pass them to jco's instantiation, or map them to its imports.
 *
 * @param client a WasmnetClient
 */
export function socketInterfaces(client) {
  clientOf(client);
  const table = new SocketTable();
  const transport = new ClientTransport(client);
  const io = ioInterfaces(table);

  class ResolveAddressStream {
    #found = null;
    #error = null;
    #next = 0;
    constructor(name) {
      const literal = parseAddress(name);
      if (literal) {
        this.#found = [literal];
        return;
      }
      must(isName(name), "invalid-argument");
      transport.resolve(name, (code, addresses) => {
        this.#found = addresses?.map(parseAddress).filter(Boolean) ?? [];
        if (this.#found.length === 0) this.#error = code ? lookupErrors[code] ?? "temporary-resolver-failure" : "name-unresolvable";
        table.changed();
      });
    }
    resolveNextAddress() {
      must(this.#found, "would-block");
      must(!this.#error, this.#error);
      const bytes = this.#found[this.#next++];
      return bytes ? toIpAddress(bytes) : undefined;
    }
    subscribe() { return new io.Pollable(() => this.#found !== null); }
    [dispose]() {}
  }

  class Network {
    [dispose]() {}
  }

  return {
    ...io.interfaces,
    "wasi:sockets/network": { Network },
    "wasi:sockets/instance-network": { instanceNetwork: () => new Network() },
    "wasi:sockets/ip-name-lookup": { ResolveAddressStream, resolveAddresses: (network, name) => new ResolveAddressStream(name) },
    ...tcpInterfaces(table, transport, io),
    ...udpInterfaces(table, transport, io),
  };
}
