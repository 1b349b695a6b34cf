// The node itself: readiness, program, log level, drain, token.

import { call, gate, hasToken, setToken } from './dashboard-api.js';
import { byID, element, say, setFacts, setText } from './dashboard-dom.js';
import { count, duration, visible } from './dashboard-format.js';
import { ask } from './dashboard-pages.js';

/** Milliseconds between two checks of the readiness. */
const pace = 5_000;

export function node() {
  let timer = null;
  let isShown = false;

  async function readiness() {
    clearTimeout(timer);
    try {
      // 503 is the answer of a node that is not ready, with its checks.
      const report = await call('GET', '/readyz', { accepts: [503] });
      if (!Array.isArray(report.checks)) throw new Error(report.error?.message ?? 'The answer cannot be read.');
      say(byID('ready-state'), report.ready ? 'Ready for new sessions.' : 'Not ready for new sessions.', !report.ready);
      byID('ready-checks').replaceChildren(...report.checks.map(({ name, ok, reason, detail }) =>
        element('li', { class: ok ? 'ok' : 'bad' }, element('b', {}, ok ? 'ok' : 'no'), ' ', element('bdi', {}, visible(name)),
          ...(reason || detail ? [': ', element('bdi', {}, visible(reason || detail))] : []))));
    } catch (error) {
      say(byID('ready-state'), error.message, true);
      byID('ready-checks').replaceChildren();
    }
    if (isShown) timer = setTimeout(readiness, pace);
  }

  async function build() {
    try {
      const version = await call('GET', '/version');
      setFacts(byID('build-facts'), [
        ['Program', visible(version.name)], ['Version', visible(version.version)],
        ['Commit', version.commit === undefined ? undefined : visible(version.commit)],
        ['Node', visible(version.node)], ['Runs for', duration(version.uptime_seconds)],
      ]);
    } catch (error) {
      setFacts(byID('build-facts'), [['Problem', error.message]]);
    }
  }

  async function level() {
    try {
      byID('log-level').value = (await call('GET', '/v1/log-level')).level;
    } catch (error) {
      say(byID('log-said'), error.message, true);
    }
  }

  byID('log-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      const set = await call('PUT', '/v1/log-level', { body: { level: byID('log-level').value } });
      say(byID('log-said'), `The level is ${set.level}.`);
    } catch (error) {
      say(byID('log-said'), error.message, true);
    }
  });

  byID('drain').addEventListener('click', async () => {
    const isSure = await ask({
      title: 'Drain this node?', text: 'It takes no new sessions from now on, and it cannot be taken back.',
      subject: byID('node-name').textContent, yes: 'Drain',
    });
    if (!isSure) return;
    try {
      const report = await call('POST', '/v1/drain');
      const end = `which end in ${duration(report.seconds_left)} at the latest`;
      say(byID('drain-said'), `It drains: ${count(report.sessions)} sessions are left, ${end}.`);
    } catch (error) {
      say(byID('drain-said'), error.message, true);
    }
    readiness();
  });

  function token() {
    setText(byID('token-state'), hasToken() ? 'This tab keeps the node’s token until it is closed.' : 'This node asks for none here.');
    byID('token-forget').hidden = !hasToken();
  }
  byID('token-forget').addEventListener('click', () => setToken(null));
  gate.addEventListener('token', token);

  return {
    show: () => {
      isShown = true;
      token();
      readiness();
      build();
      level();
    },
    hide: () => {
      isShown = false;
      clearTimeout(timer);
    },
  };
}
