// A simulated admin server: it checks itself and its callers against openapi.json, as the node's does.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { contentSecurityPolicy, documents } from './documents.mjs';
import { NodeModel } from './node-model.mjs';
import { operation, problems } from './schema.mjs';

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const open = ['livez', 'readyz', 'openapi'];

/** A page of a list with increasing keys. */
function page(items, query, key) {
  const limit = Number(query.get('limit') ?? 100);
  const sorted = [...items].sort((left, right) => (key(left) < key(right) ? -1 : 1));
  const rest = query.get('cursor') ? sorted.filter((item) => key(item) > query.get('cursor')) : sorted;
  const shown = rest.slice(0, limit);
  return { items: shown, ...(rest.length > shown.length && { next: key(shown.at(-1)) }) };
}

const leads = (socket, wanted) => [socket.destination, socket.address].some((place) =>
  place !== undefined && (place === wanted || place.slice(0, place.lastIndexOf(':')) === wanted));

export class MockServer {
  requests = [];
  /** Violations of openapi.json, on either side. */
  violations = [];
  #streams = new Set();
  #connections = new Set();

  /**
   * - token: the token that callers must send; null: none.
   * - interval: milliseconds between two snapshots. - backlog: snapshots of the past, one a second, sent first.
   */
  constructor({ token = null, interval = 100, backlog = 0, ...model } = {}) {
    Object.assign(this, { token, interval, backlog, model: new NodeModel(model), isRefusingStreams: false });
    this.documents = documents();
    this.server = createServer((request, response) => this.#answer(request, response));
    this.server.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
    });
  }

  async start(port = 0) {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  /** Ends the events like a lost connection. */
  dropStreams() {
    for (const response of this.#streams) response.destroy();
  }

  get streams() {
    return this.#streams.size;
  }

  /** The requests of an operation, by its name. */
  of(id) {
    return this.requests.filter((request) => request.id === id);
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    const document = this.documents.get(url.pathname);
    if (request.method === 'GET' && document) {
      response.writeHead(200, {
        'Content-Type': document.type, 'Content-Security-Policy': contentSecurityPolicy, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store',
      }).end(document.bytes);
      return;
    }
    try {
      const found = operation(request.method, url.pathname);
      if (!found) throw new Refusal(404, 'not_found', 'there is nothing at this path');
      if (!open.includes(found.id) && this.token !== null) {
        const shown = request.headers.authorization;
        if (shown === undefined) throw new Refusal(401, 'no_token', 'a bearer token is required');
        if (shown !== `Bearer ${this.token}`) throw new Refusal(401, 'wrong_token', 'the bearer token is wrong');
      }
      const known = (found.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name);
      for (const name of url.searchParams.keys()) {
        if (!known.includes(name)) throw new Refusal(400, 'unknown_parameter', `this path does not know the parameter ${name}`);
      }
      const body = await this.#body(request, found);
      this.requests.push({ id: found.id, names: found.names, query: Object.fromEntries(url.searchParams), body, headers: request.headers });
      if (found.id === 'node.events') return await this.#stream(response);
      const [status, answer] = this.#call(found, url.searchParams, body);
      const schema = found.responses[status]?.content?.['application/json']?.schema;
      if (schema) this.violations.push(...problems(schema, answer).map((problem) => `${found.id}: ${problem}`));
      this.#send(response, status, answer);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'internal', String(error.stack));
      if (refusal.status === 400 || refusal.status >= 500 || refusal.code === 'bad_body') this.violations.push(`${request.method} ${request.url}: ${refusal.message}`);
      this.#send(response, refusal.status, { error: { code: refusal.code, message: refusal.message } });
    }
  }

  #send(response, status, answer) {
    response.writeHead(status, answer === null ? {} : { 'Content-Type': 'application/json' }).end(answer === null ? '' : JSON.stringify(answer));
  }

  async #body(request, found) {
    if (!found.requestBody) return undefined;
    if (request.headers['content-type'] !== 'application/json') throw new Refusal(415, 'wrong_media_type', 'the body is application/json');
    let text = '';
    for await (const part of request) text += part;
    const body = JSON.parse(text);
    const wrong = problems(found.requestBody.content['application/json'].schema, body);
    if (wrong.length > 0) throw new Refusal(422, 'bad_body', wrong.join('; '));
    return body;
  }

  #call({ id, names, responses }, query, body) {
    const { model } = this;
    const has = (name, value) => !query.get(name) || query.get(name) === value;
    const goes = (socket) => !query.get('destination') || leads(socket, query.get('destination'));
    const remove = (list, test) => {
      const at = list.findIndex(test);
      if (at < 0) throw new Refusal(404, 'not_found', 'there is none');
      list.splice(at, 1);
      return [204, null];
    };
    switch (id) {
      case 'session.list': return [200, page(model.sessions.filter((session) => has('client', session.client) && has('state', session.state)
        && (!query.get('destination') || model.sockets.some((socket) => socket.session === session.id && goes(socket)))), query, ({ id: key }) => key)];
      case 'session.close': return remove(model.sessions, (session) => session.id === names[0]);
      case 'socket.list': return [200, page(model.sockets.filter((socket) => has('client', socket.client) && has('state', socket.state)
        && has('session', socket.session) && goes(socket)), query, (socket) => `${socket.session}/${socket.id}`)];
      case 'socket.close': return remove(model.sockets, (socket) => socket.session === names[0] && socket.id === names[1]);
      case 'denylist.list': return [200, { version: model.version, size: model.denied.size, age_seconds: 0.4, ...page([...model.denied.values()], query, ({ entry }) => entry) }];
      case 'denylist.add': {
        const wrong = body.entries.find(({ entry }) => entry.endsWith('/99'));
        if (wrong) throw new Refusal(422, 'bad_entry', `${wrong.entry} is neither an address nor a name`);
        for (const { entry, reason, ttl_seconds: seconds } of body.entries) {
          model.denied.set(entry, { entry, ...(reason && { reason }), ...(seconds && { seconds_left: seconds }) });
        }
        model.version += 1;
        return [200, { version: model.version, changed: body.entries.length }];
      }
      case 'denylist.remove': {
        const changed = body.entries.filter((entry) => model.denied.delete(entry)).length;
        model.version += 1;
        return [200, { version: model.version, changed }];
      }
      case 'quota.read':
        if (names[0] === 'missing') throw new Refusal(404, 'not_found', 'there is no such client');
        return [200, model.limits(names[0])];
      case 'quota.override':
        model.overrides.set(names[0], body);
        return [200, model.limits(names[0])];
      case 'quota.clear':
        if (!model.overrides.delete(names[0])) throw new Refusal(404, 'not_found', 'there is none');
        return [204, null];
      case 'policy.read': return [200, this.#policy()];
      case 'policy.reload':
        model.isStale = this.isPolicyBad === true;
        if (model.isStale) throw new Refusal(422, 'bad_policy', 'line 3: no such key');
        model.generation += 1;
        return [200, this.#policy()];
      case 'policy.explain': {
        const destination = query.get('destination');
        if (!/^.+:\d+$/.test(destination)) throw new Refusal(422, 'bad_parameter', 'destination is host:port with a port of 1 to 65535');
        const isDenied = destination.endsWith(':25');
        return [200, { allowed: !isDenied, steps: [`the port of ${destination}`, isDenied ? 'deny "*:25" matches' : 'nothing forbids it', ...(query.get('udp') === 'true' ? ['over UDP'] : [])] }];
      }
      case 'log.read': return [200, { level: model.level }];
      case 'log.set':
        model.level = body.level;
        return [200, { level: model.level }];
      case 'node.drain':
        model.isDraining = true;
        return [202, { sessions: 1_240, seconds_left: 300 }];
      case 'readyz': return this.#ready();
      case 'version': return [200, { name: 'wasmnet-node', version: '1.4.0', commit: '0123456789abcdef', node: model.node, uptime_seconds: 93_784 }];
      default: throw new Error(`${id} of ${Object.keys(responses)} is not there`);
    }
  }

  #policy() {
    const text = `# What clients may reach.\nallow = ["*:443", "*:80"]\ndeny = ["*:25", "10.0.0.0/8"]\n\n[limits]\nmax_connections = 100\n`;
    return { generation: this.model.generation, age_seconds: 5_120, source: '/etc/wasmnet/policy.toml', text, ...(this.model.isStale && { last_error: 'line 3: no such key' }) };
  }

  #ready() {
    const { isDraining, redis, rollCall } = this.model;
    const checks = [{ name: 'denylist', ok: true }, ...(redis ? [{ name: 'redis', ok: true, ...(rollCall && { detail: rollCall }) }] : []),
      { name: 'draining', ok: !isDraining, ...(isDraining && { reason: 'the node drains' }) }];
    return [isDraining ? 503 : 200, { ready: !isDraining, checks }];
  }

  async #stream(response) {
    if (this.isRefusingStreams) throw new Refusal(503, 'too_many_streams', '16 clients already read events');
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write('retry: 300\n\n');
    let number = 0;
    const send = (time) => {
      const snapshot = this.model.snapshot(time);
      const schema = { $ref: '#/components/schemas/Snapshot' };
      this.violations.push(...problems(schema, snapshot).map((problem) => `snapshot: ${problem}`));
      number += 1;
      response.write(`event: snapshot\nid: ${number}\ndata: ${JSON.stringify(snapshot)}\n\n`);
    };
    for (let past = this.backlog; past > 0; past -= 1) {
      this.model.advance(1);
      send(Date.now() - past * 1_000);
    }
    const tick = () => {
      if (this.isSilent) return;
      if (this.isWithoutFigures) {
        response.write(': internal\n\n');
        return;
      }
      this.model.advance(this.interval / 1_000);
      send(Date.now());
    };
    tick();
    const timer = setInterval(tick, this.interval);
    response.on('close', () => clearInterval(timer));
  }
}
