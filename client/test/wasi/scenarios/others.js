// The other ways in: Emscripten's WebSocket and wasi:sockets 0.2. They have one strategy, so they run where the guests' is JSPI.

import assert from "node:assert/strict";

const once = (scenario) => async (tools) => {
  if (tools.mode.strategy === "jspi") await scenario(tools);
};

export const others = {
  "Emscripten: SOCKFS's WebSocket is a socket": once(async ({ session, peers }) => {
    const echoed = await session.call("sockfs", { url: peers.node.url, port: peers.echo.port, text: "sockfs speaks" });
    assert.deepEqual(echoed, { received: "sockfs speaks", code: 1000, reason: "client_closed", state: 3, isNativeOtherwise: true });
    const refused = await session.call("sockfs", { url: peers.node.url, port: peers.refusedPort, text: "x" });
    assert.deepEqual([refused.code, refused.reason], [1006, "refused"]);
  }),

  "wasi:sockets 0.2: lookup, TCP, half-close, UDP, a refused connect": once(async ({ session, peers }) => {
    const said = await session.call("sockets02", { url: peers.node.url, echo: peers.echo.port, dns: peers.dns.port, refused: peers.refusedPort });
    assert.deepEqual(said, {
      early: "would-block", address: said.address, pending: "would-block", polled: [0], echo: "component", end: { tag: "closed" },
      remotePort: true, refused: "connection-refused", sent: 1, answer: [192, 0, 2, 7],
    });
    assert.match(said.address.tag, /^ipv[46]$/);
  }),
};
