// A page of the browser: its content, its reader's actions, and its errors.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const keys = { Enter: [13, '\r'], Escape: [27], Tab: [9], ArrowLeft: [37], ArrowRight: [39], ' ': [32, ' '] };

export class Page {
  /** Errors of the console, exceptions and violations of the content security policy. */
  complaints = [];

  /** Opens an address in a new profile. - scheme: `light` or `dark`. */
  static async open(browser, address, { width = 1280, height = 900, scheme = 'light', isPhone = false } = {}) {
    const page = new Page();
    page.browser = browser;
    const { browserContextId } = await browser.send('Target.createBrowserContext');
    page.context = browserContextId;
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank', browserContextId });
    page.session = (await browser.send('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    page.unlisten = browser.listen((message) => message.sessionId === page.session && page.#hear(message));
    for (const domain of ['Page', 'Runtime', 'Log', 'Audits']) await page.send(`${domain}.enable`);
    await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: isPhone ? 2 : 1, mobile: isPhone });
    await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    await page.send('Emulation.setFocusEmulationEnabled', { enabled: true });
    await page.go(address);
    return page;
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  #hear({ method, params }) {
    if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(params.type)) {
      this.complaints.push(params.args.map((one) => one.value ?? one.description).join(' '));
    }
    if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level)) this.complaints.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    if (method === 'Audits.issueAdded' && params.issue.code === 'ContentSecurityPolicyIssue') this.complaints.push(JSON.stringify(params.issue.details));
  }

  go(address) {
    return this.#load(() => this.send('Page.navigate', { url: address }));
  }

  reload() {
    return this.#load(() => this.send('Page.reload'));
  }

  async #load(start) {
    const loaded = new Promise((resolve) => {
      const unlisten = this.browser.listen(({ method, sessionId }) => {
        if (sessionId !== this.session || method !== 'Page.loadEventFired') return;
        unlisten();
        resolve();
      });
    });
    await start();
    await loaded;
  }

  /** The value of an expression in the page. */
  async value(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true, checking with each frame, and returns its value. */
  async until(expression, seconds = 15) {
    const value = await this.value(`new Promise((resolve) => {
      const end = performance.now() + ${seconds * 1_000};
      const look = () => {
        const value = (() => { try { return ${expression}; } catch { return false; } })();
        if (value || performance.now() > end) resolve(value);
        else setTimeout(look, 16);
      };
      look();
    })`);
    if (!value) throw new Error(`not within ${seconds} s: ${expression}; the page shows: ${(await this.value('document.body.innerText')).slice(0, 2_000)}`);
    return value;
  }

  /** The text of a selector's first match. */
  text(selector) {
    return this.value(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);
  }

  /** Clicks with the mouse once the element does not move and nothing is over it. */
  async click(selector) {
    const place = await this.until(`(() => {
      const found = document.querySelector(${JSON.stringify(selector)});
      if (!found || found.disabled || !found.checkVisibility()) return null;
      found.scrollIntoView({ block: 'center', behavior: 'instant' });
      const box = found.getBoundingClientRect();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      const hit = document.elementFromPoint(x, y);
      const before = window.stoodAt ?? {};
      window.stoodAt = { found, x, y, times: before.found === found && before.x === x && before.y === y ? before.times + 1 : 0 };
      return found.contains(hit) && window.stoodAt.times >= 3 ? { x, y } : null;
    })()`);
    for (const type of ['mousePressed', 'mouseReleased']) await this.send('Input.dispatchMouseEvent', { type, ...place, button: 'left', clickCount: 1 });
  }

  /** Replaces a field's content. */
  async fill(selector, text) {
    await this.until(`(() => { const found = document.querySelector(${JSON.stringify(selector)}); found.focus(); found.select(); return document.activeElement === found; })()`);
    if (text === '') await this.press('Delete');
    else await this.send('Input.insertText', { text });
  }

  async press(key) {
    const [code = 0, text] = keys[key] ?? [];
    await this.send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code, text });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code });
  }

  /** Elements wider than the window, and whether the page can be moved sideways. */
  overflow() {
    return this.value(`(() => {
      const width = document.documentElement.clientWidth;
      const wide = [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility() && !one.closest('.unseen, thead, svg') && one.getBoundingClientRect().right > width + 0.5);
      return { page: document.documentElement.scrollWidth - width, wide: wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120)),
        inner: [...document.querySelectorAll('main *')].filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
          && ['auto', 'scroll'].includes(getComputedStyle(one).overflowX) && !one.matches('pre, textarea')).map((one) => one.outerHTML.slice(0, 120)) };
    })()`);
  }

  /** Writes a picture of the whole page if DASHBOARD_SCREENSHOTS names a folder. */
  async picture(name, isWhole = true) {
    const folder = process.env.DASHBOARD_SCREENSHOTS;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: isWhole });
    await writeFile(join(folder, `${name}.png`), Buffer.from(data, 'base64'));
  }

  async close() {
    this.unlisten();
    await this.browser.send('Target.disposeBrowserContext', { browserContextId: this.context });
  }
}
