//! Proves what the page does with room, sleep and other tabs: a full disk ends no run, the screen is kept awake only while
//! asked to, a run made elsewhere is shown, and of two tabs on one run the second only looks.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { appIsThere, dropFiles, focus, openApp, pageOf, press, quiet, until } from './support/browser.mjs';
import { trainInto } from './support/native.mjs';
import { browser, server } from './support/stage.mjs';

const SETTINGS = { rank: '4', nnz: '16', prune: 'none', max_steps: '40', logging_steps: '1', eval_strategy: 'no', save_strategy: 'no', max_train_samples: '400' };
const VIEW = { viewport: { width: 1280, height: 720 } };
const link = (more = {}) => `#${new URLSearchParams({ ...SETTINGS, ...more })}`;

const ready = (page) => until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
const step = (page, n) => until(page, (dsee, n) => dsee.losses.some(([step]) => step >= n), `step ${n}`, { argument: n });
const finished = (page) => until(page, (dsee) => dsee.events.some((event) => event.event === 'finished'), 'the end');
const start = (page) => page.keyboard.press('Control+Enter');

test('a run goes on from memory when the browser gives no more room', async () => {
  const context = await browser.newContext(VIEW);
  const page = await openApp(context, server.url + link());
  await ready(page);
  const session = await context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 2000 });
  await start(page);
  await until(page, (dsee) => dsee.announced.some((text) => /no more room/.test(text)), 'being told');
  await finished(page);
  const [losses, told] = await page.evaluate(() => [window.dsee.losses, window.dsee.announced]);
  assert.equal(losses.length, 40, 'the curve has no gap');
  assert.equal(told.length, 1, `it is said once: ${told}`);
  assert.match(told[0], /goes on in memory; export it before you leave/);
  quiet(page);
  await context.close();
});

test('the screen is kept awake while asked to, and sleeps again after the run', async () => {
  const context = await browser.newContext(VIEW);
  const page = await pageOf(context);
  await page.addInitScript(() => {
    window.wakes = [];
    const request = async (kind) => {
      window.wakes.push(kind);
      return { release: async () => { window.wakes.push('released'); } };
    };
    Object.defineProperty(Navigator.prototype, 'wakeLock', { get: () => ({ request }) });
  });
  await page.goto(server.url + link({ max_steps: '400' }));
  await appIsThere(page);
  await ready(page);
  const wakes = (n) => page.waitForFunction((n) => window.wakes.length === n, n).then(() => page.evaluate(() => window.wakes));
  await start(page);
  await step(page, 1);
  assert.deepEqual(await page.evaluate(() => window.wakes), [], 'it is offered, not imposed');
  await press(page, /Keep the screen awake/, 'Space');
  assert.deepEqual(await wakes(1), ['screen']);
  await page.keyboard.press('Space');
  assert.deepEqual(await wakes(2), ['screen', 'released']);
  await page.keyboard.press('Space');
  await wakes(3);
  await page.keyboard.press('Control+.');
  assert.deepEqual(await wakes(4), ['screen', 'released', 'screen', 'released']);
  quiet(page);
  await context.close();
});

test('the folder of a run is dropped or chosen, and shown ticked', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'dsee-web-')), 'elsewhere');
  await trainInto(folder, { ...SETTINGS, max_steps: '4' });
  const context = await browser.newContext(VIEW);
  const page = await openApp(context, `${server.url}#screen=runs`);
  await ready(page);
  await dropFiles(page, [folder]);
  await until(page, (dsee) => dsee.notices.includes('show_run'), 'the dropped run');
  await focus(page, /Compare .*: checked/);

  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), press(page, /Open a run folder/)]);
  await chooser.setFiles(folder);
  await until(page, (dsee) => dsee.notices.filter((kind) => kind === 'show_run').length === 2, 'the chosen run');

  const [wrong] = await Promise.all([page.waitForEvent('filechooser'), press(page, /Open a run folder/)]);
  await wrong.setFiles(join(folder, 'adapter'));
  await until(page, (dsee) => dsee.announced.some((text) => /has no report.json/.test(text)), 'what is missing');
  quiet(page);
  await context.close();
});

test('of two tabs on one run the second only looks', async () => {
  const context = await browser.newContext(VIEW);
  const first = await openApp(context, server.url + link({ max_steps: '400' }));
  await ready(first);
  await start(first);
  // A second tab finds the run by its first saved state.
  await until(first, (dsee) => dsee.events.some((event) => event.type === 'checkpoint_saved'), 'a saved state');
  await first.evaluate(() => window.dsee.settled());
  const second = await openApp(context, server.url);
  await until(second, (dsee) => dsee.notices.includes('read_only'), 'being told to only look');
  await second.bringToFront();
  await start(second);
  await second.waitForTimeout(1000);
  const [runs, offered] = await second.evaluate(() => [window.dsee.events.filter((event) => event.event).length, window.dsee.notices.includes('last_run')]);
  assert.deepEqual([runs, offered], [0, false], 'nothing starts in it, and nothing is offered to go on with');
  const before = await first.evaluate(() => window.dsee.losses.length);
  await step(first, before + 3);
  quiet(first);
  quiet(second);
  await context.close();
});

test('a field tells its name and its text', async () => {
  const context = await browser.newContext(VIEW);
  const page = await openApp(context, `${server.url}#screen=model`);
  await ready(page);
  await focus(page, /^Model id: .*text input/);
  quiet(page);
  await context.close();
});
