// A simulated node: its sessions, sockets, lists and figures, which change.

/** A name that would do harm if it were parsed as HTML. */
export const hostileName = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>\u202Egnp.exe';
export const longName = `t:${'a-very-long-name-of-a-client-'.repeat(9)}`;

/** Figures that are the same in each run: a small generator (mulberry32). */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const targets = ['example.com:443', 'api.example.net:443', '[2001:db8::5]:8443', 'db.example.org:5432', 'time.example.net:123'];

export class NodeModel {
  /** - redis: whether it has one, and so a cluster. - isEmpty: whether it has no events. - isHuge: whether its numbers are. */
  constructor({ redis = true, isEmpty = false, isHuge = false, sessions = 137 } = {}) {
    Object.assign(this, { redis, isEmpty, isHuge });
    const random = generator(7);
    this.random = random;
    this.node = 'edge-fra-1';
    this.step = 0;
    this.version = 41;
    this.level = 'info';
    this.isDraining = false;
    this.isStale = false;
    this.isRedisUp = true;
    this.generation = 3;
    this.overrides = new Map();
    const scale = isHuge ? 2 ** 61 : 4e6;
    this.counters = { bytes_up: isHuge ? 9e18 : 4.2e9, bytes_down: isHuge ? 1.8e19 : 9.3e10, opens: 184_320, quota_waits: 212, cpu_milliseconds: 812_000 };
    this.groups = {
      opens: { ok: 180_992, refused: 1_410, connect_timeout: 402, policy_denied: 1_201, denylisted: 288, max_connections: 27 },
      denials: { policy_denied: 1_201, denylisted: 288 },
      closes: { normal: 120_400, client_closed: 48_020, target_reset: 9_310, target_timeout: 1_204, denylisted: 36, policy_denied: 12, draining: 3 },
      refusals: { max_connections: 27, connects: 340, resolves: 12, max_sessions: 4, bytes_per_day: 2 },
    };
    this.sessions = isEmpty ? [] : Array.from({ length: sessions }, (_, index) => ({
      id: `s-${String(index).padStart(4, '0')}`,
      client: index === 0 ? hostileName : index === 1 ? longName : `a:192.0.2.${index % 200}`,
      remote_address: index % 5 === 0 ? `[2001:db8::${index.toString(16)}]:50${100 + index}` : `192.0.2.${index % 200}:50${100 + index}`,
      protocol: index % 3 === 0 ? 'v1' : 'v2', state: index % 17 === 5 ? 'draining' : 'open', age_seconds: 3 + index * index * 1.7,
      sockets: index % 4, bytes_up: Math.floor(random() * scale), bytes_down: Math.floor(random() * scale * 20),
    }));
    this.sockets = this.sessions.flatMap((session, at) => Array.from({ length: session.sockets || (at === 0 ? 1 : 0) }, (_, index) => ({
      session: session.id, id: String(index + 1), client: session.client, kind: ['tcp', 'tls', 'udp'][(at + index) % 3],
      state: ['open', 'open', 'open', 'half_closed', 'opening'][(at + index) % 5], age_seconds: session.age_seconds / 2,
      bytes_up: Math.floor(session.bytes_up / 3), bytes_down: Math.floor(session.bytes_down / 3),
      destination: at === 0 ? `${hostileName}:443` : targets[(at + index) % targets.length],
      ...((at + index) % 5 !== 4 && { address: `198.51.100.${at % 250}:443` }),
    })));
    this.denied = new Map();
    if (!isEmpty) {
      this.denied.set('192.0.2.0/24', { entry: '192.0.2.0/24', reason: 'abuse, ticket 4711', seconds_left: 3_480 });
      this.denied.set('*.bad.example', { entry: '*.bad.example', reason: 'malware' });
      this.denied.set(hostileName, { entry: hostileName, reason: hostileName });
      for (let index = 0; index < 70; index += 1) {
        const entry = `10.${index}.0.0/16`;
        this.denied.set(entry, { entry, ...(index % 2 === 0 && { seconds_left: 60 * (index + 1) }) });
      }
    }
    if (isEmpty) {
      this.counters = { bytes_up: 0, bytes_down: 0, opens: 0, quota_waits: 0, cpu_milliseconds: 12 };
      this.groups = {};
    }
  }

  /** The events of this many seconds. */
  advance(seconds) {
    this.step += 1;
    if (this.isEmpty) return;
    const wave = 1 + 0.6 * Math.sin(this.step / 11) + 0.3 * this.random();
    const some = (mean) => Math.floor(mean * seconds * wave * (0.6 + 0.8 * this.random()) + this.random());
    this.counters.bytes_up += some(1.1e6);
    this.counters.bytes_down += some(this.step % 50 < 6 ? 9e6 : 4.5e6);
    this.counters.quota_waits += some(this.step % 40 < 10 ? 6 : 0.5);
    this.counters.cpu_milliseconds += some(180);
    for (const [group, members] of Object.entries({
      opens: { ok: 40, refused: 1.5, connect_timeout: 0.4, policy_denied: 1, denylisted: 0.4 },
      denials: { policy_denied: 1, denylisted: 0.4 }, closes: { normal: 28, client_closed: 9, target_reset: 2, target_timeout: 0.3 },
      refusals: { connects: 0.8, max_connections: 0.2 },
    })) {
      for (const [name, mean] of Object.entries(members)) this.groups[group][name] += some(mean);
    }
    this.counters.opens = Object.values(this.groups.opens).reduce((sum, one) => sum + one, 0);
  }

  snapshot(time) {
    const { random, step } = this;
    const busy = this.isEmpty ? 0 : 1;
    const live = this.isEmpty ? 0 : Math.round(1_240 + 160 * Math.sin(step / 30) + 10 * random());
    const gauges = {
      sessions: this.isHuge ? 1e12 : live, sockets: live * 3, sockets_tcp: live, sockets_tls: Math.round(live * 1.6),
      sockets_udp: Math.round(live * 0.2), sockets_listener: 4 * busy, sockets_accepted: 12 * busy,
      memory_bytes: 1.9e8 + 2e7 * Math.sin(step / 50), open_files: live * 4 + 40, max_files: 65_536, denylist_version: this.version,
      denylist_entries: this.denied.size, denylist_age_seconds: 0.4 + random(), draining: Number(this.isDraining),
      policy_generation: this.generation, policy_stale: Number(this.isStale), event_loop_lag_seconds: 0.0002 + 0.002 * random() ** 4,
      ...(this.redis && { redis_available: Number(this.isRedisUp) }),
    };
    const quantiles = (median) => ({ 0.5: median * (0.9 + 0.2 * random()), 0.9: median * (2 + random()), 0.99: median * (5 + 4 * random()) });
    return {
      time, node: this.node, gauges, counters: { ...this.counters }, groups: structuredClone(this.groups),
      quantiles: this.isEmpty ? {} : {
        dial_seconds: quantiles(0.018), dns_seconds: quantiles(0.004), tls_seconds: quantiles(0.041), ...(this.redis && { redis_seconds: quantiles(0.0006) }),
      },
      nodes: this.redis ? this.nodes(live) : [],
    };
  }

  nodes(live) {
    const one = (name, share, version, isDraining = false) =>
      ({ name, sessions: Math.round(live * share), sockets: Math.round(live * share * 3), denylist_version: version, is_draining: isDraining });
    return [
      one(this.node, 1, this.version, this.isDraining), one('edge-fra-2', 0.93, this.version), one('edge-ams-1', 0.2, this.version, true),
      one(hostileName, 0.6, this.version - 1),
    ];
  }

  limits(client) {
    const override = this.overrides.get(client);
    const from = (member) => (override?.[member] === undefined ? 'policy' : 'override');
    const amount = (member, used, limit) => ({ used, limit: override?.[member] ?? limit, from: from(member) });
    const rate = (member, burst, available, limit, most) =>
      ({ available, limit: override?.[member] ?? limit, burst: override?.[burst] ?? most, from: from(member) });
    return {
      client, now: '2026-11-30T10:00:00Z', day_ends: '2026-12-01T00:00:00Z', ...(override && { overrides_end: '2026-12-01T10:00:00Z' }),
      limits: {
        max_sessions: amount('max_sessions', 2, 8), max_connections: amount('max_connections', 7, 100),
        connects_per_sec: rate('connects_per_sec', 'connect_burst', 31, 20, 40), resolves_per_sec: { from: 'policy' },
        max_bandwidth_mbps: rate('max_bandwidth_mbps', 'byte_burst', -1_200, 20, 5_000_000),
        bytes_per_day: amount('bytes_per_day', 1_734_000_000, this.isHuge ? Number.MAX_SAFE_INTEGER : 50e9),
      },
      holders: [{ node: '0a1b2c3d', name: this.node, address: '192.0.2.1:9000', sessions: 2, sockets: 7 }],
    };
  }
}
