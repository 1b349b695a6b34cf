// The operator's dashboard: connects the parts. It needs only the node's own API (openapi.json).

import { call, gate, setToken } from './dashboard-api.js';
import { Charts } from './dashboard-charts.js';
import { nodesTable, reasonTables } from './dashboard-cluster.js';
import { denylist } from './dashboard-denylist.js';
import { byID, say, setText } from './dashboard-dom.js';
import { clock, visible } from './dashboard-format.js';
import { History } from './dashboard-history.js';
import { sessions, sockets } from './dashboard-live.js';
import { node } from './dashboard-node.js';
import { policy } from './dashboard-policy.js';
import { quota } from './dashboard-quota.js';
import { Router } from './dashboard-router.js';
import { SnapshotStream } from './dashboard-stream.js';
import { showConcerns, Tiles } from './dashboard-summary.js';

const history = new History();
let span = 120_000;
/** When the newest snapshot arrived, on the monotonic clock. */
let cameAt = 0;
let state = { name: 'connecting' };
let isVersionKnown = false;

/** The node's current time: that of its newest snapshot plus the elapsed time. */
const nodeTime = () => (history.last ? history.last.time + (performance.now() - cameAt) : Date.now());

const tiles = new Tiles(byID('tiles'));
// While snapshots arrive the newest is at the right edge; after a loss the plots move on without lines.
const charts = new Charts(byID('plots'), () => {
  const now = state.name === 'live' && history.last ? history.last.time : nodeTime();
  return { history, span, now };
});
const showNodes = nodesTable(byID('nodes'));
const showReasons = reasonTables(byID('reasons'));
const policyView = policy();
const views = {
  overview: { show: () => charts.draw() }, sessions: sessions(), sockets: sockets(), denylist: denylist(), policy: policyView,
  quota: quota(), node: node(),
};
const router = new Router(views);

const stream = new SnapshotStream({
  snapshot: (snapshot) => {
    history.add(snapshot);
    cameAt = performance.now();
    writeTitle();
    tiles.show(history);
    showConcerns(byID('attention'), history);
    showNodes(snapshot);
    showReasons(history);
    policyView.snapshot(snapshot);
    if (!document.hidden) charts.draw();
  },
  state: (next) => {
    if (next.name === 'live' && state.name !== 'live' && !isVersionKnown) readVersion();
    // After a loss another program may answer.
    if (next.name === 'waiting') isVersionKnown = false;
    const isSame = next.name === state.name && next.problem === state.problem;
    state = next;
    if (!isSame) showState();
  },
});

const words = { connecting: 'Connecting', live: 'Live', silent: 'No figures', waiting: 'Lost', locked: 'Locked' };

function showState() {
  const pill = byID('connection');
  pill.dataset.state = state.name;
  setText(pill, words[state.name]);
  // Between two attempts the banner stays, to avoid flicker.
  const isLost = ['waiting', 'silent'].includes(state.name) || (state.name === 'connecting' && !byID('lost').hidden);
  byID('lost').hidden = !isLost;
  document.body.classList.toggle('stale', isLost);
  if (state.problem) setText(byID('lost-what'), state.problem);
  setText(byID('lost-since'), history.last ? `The figures are of ${clock(history.last.time)}.` : '');
  byID('lost-retry').hidden = state.name === 'silent';
  writeTitle();
  showWait();
}

function showWait() {
  const seconds = state.name === 'waiting' ? Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1_000)) : 0;
  const said = { waiting: `Connecting again in ${seconds} s.`, connecting: 'Connecting …' };
  setText(byID('lost-next'), said[state.name] ?? '');
}

function writeTitle() {
  const name = history.last ? visible(history.last.node) : 'wasmnet';
  setText(byID('node-name'), name);
  const mark = document.body.classList.contains('stale') ? 'Lost: ' : '';
  const title = history.last ? `${mark}${name} – wasmnet` : `${mark}wasmnet`;
  if (document.title !== title) document.title = title;
}

async function readVersion() {
  isVersionKnown = true;
  try {
    const version = await call('GET', '/version');
    const commit = version.commit ? ` (${visible(version.commit).slice(0, 12)})` : '';
    setText(byID('node-version'), `${visible(version.name)} ${visible(version.version)}${commit}`);
  } catch {
    isVersionKnown = false;
  }
}

setInterval(() => {
  if (state.name === 'live') return;
  showWait();
  if (!document.hidden) charts.draw();
}, 1_000);
document.addEventListener('visibilitychange', () => charts.draw());
byID('lost-retry').addEventListener('click', () => stream.hurry());
byID('span').addEventListener('change', (event) => {
  span = Number(event.target.value) * 1_000;
  charts.draw();
});

// The gate: it asks for the token; everything else waits behind it.
function lock(message, isWrong) {
  const isFirst = byID('gate').hidden;
  byID('gate').hidden = false;
  byID('main').hidden = true;
  byID('parts').hidden = true;
  stream.stop();
  state = { name: 'locked' };
  byID('lost').hidden = true;
  showState();
  say(byID('gate-problem'), isWrong ? message : '', true);
  if (isFirst) byID('gate-token').focus();
}

function enter() {
  byID('gate').hidden = true;
  byID('main').hidden = false;
  byID('parts').hidden = false;
  byID('gate-token').value = '';
  router.go();
  stream.start();
}

gate.addEventListener('unauthorized', ({ detail }) => lock('The token is wrong.', detail.code === 'wrong_token'));
gate.addEventListener('token', () => {
  isVersionKnown = false;
});
byID('token-forget').addEventListener('click', () => enter());
byID('gate-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = byID('gate-token').value.trim();
  if (!/^[\x21-\x7e]{1,1024}$/.test(token)) {
    say(byID('gate-problem'), 'A token is visible ASCII characters without blanks.', true);
    return;
  }
  setToken(token);
  tryToken();
});

/** Opens unless the node refuses the token, which the gate reports. */
async function tryToken() {
  try {
    await call('GET', '/version');
  } catch (error) {
    if (error.status === 401) {
      setToken(null);
      byID('gate-token').select();
      return;
    }
  }
  enter();
}

enter();
