// The policy in force, its reload, and its decision for a destination.

import { call } from './dashboard-api.js';
import { byID, element, say, setFacts, setText } from './dashboard-dom.js';
import { duration, exact, visible } from './dashboard-format.js';

export function policy() {
  const said = byID('policy-said');
  const problem = byID('policy-problem');
  const answer = byID('explain-answer');
  let isShown = false;
  let generation = null;

  function write(report) {
    generation = report.generation;
    setFacts(byID('policy-facts'), [
      ['Generation', exact(report.generation)], ['In force for', duration(report.age_seconds)],
      ['Source', report.source === undefined ? 'given by the program' : visible(report.source)],
    ]);
    // Line ends stay; all other invisible characters are escaped.
    setText(byID('policy-text'), report.text.split('\n').map((line) => line.split('\t').map(visible).join('\t')).join('\n'));
    say(problem, report.last_error === undefined ? '' : `The last reload failed: ${visible(report.last_error)}`, true);
  }

  async function load() {
    try {
      write(await call('GET', '/v1/policy'));
    } catch (error) {
      say(problem, error.message, true);
    }
  }

  async function reload() {
    byID('policy-reload').disabled = true;
    try {
      const report = await call('POST', '/v1/policy/reload');
      say(said, `Reloaded: generation ${exact(report.generation)} is in force.`);
      write(report);
    } catch (error) {
      say(said, `The policy in force stays: ${visible(error.message)}`, true);
      await load();
    } finally {
      byID('policy-reload').disabled = false;
    }
  }

  async function explain(destination, isUDP) {
    try {
      const verdict = await call('GET', '/v1/policy/explain', { query: { destination, udp: isUDP ? 'true' : undefined } });
      answer.replaceChildren(
        element('p', { class: verdict.allowed ? 'verdict allowed' : 'verdict denied' },
          element('strong', {}, verdict.allowed ? 'Allowed' : 'Denied'), ' ', element('bdi', {}, visible(destination))),
        element('ol', {}, ...verdict.steps.map((step) => element('li', {}, element('bdi', {}, visible(step))))));
    } catch (error) {
      answer.replaceChildren(element('p', { class: 'problem' }, error.message));
    }
  }

  byID('policy-reload').addEventListener('click', reload);
  byID('explain').addEventListener('submit', (event) => {
    event.preventDefault();
    const fields = event.currentTarget.elements;
    explain(fields.destination.value.trim(), fields.udp.checked);
  });
  return {
    show: () => {
      isShown = true;
      load();
    },
    hide: () => {
      isShown = false;
    },
    /** Reads the policy again if the node's differs from the one shown. */
    snapshot: ({ gauges }) => {
      const now = gauges?.policy_generation;
      if (isShown && generation !== null && now !== undefined && now !== generation) {
        generation = now;
        load();
      }
    },
  };
}
