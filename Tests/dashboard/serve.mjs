// Serves the dashboard with a simulated node, for viewing: `node Tests/dashboard/serve.mjs [port]`.

import { MockServer } from './mock-server.mjs';

const mock = await new MockServer({ interval: 1_000, backlog: 600 }).start(Number(process.argv[2] ?? 0));
console.log(mock.url);
