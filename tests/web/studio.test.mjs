//! Proves the newcomer's path on the page: start by the keyboard, watch it learn, reload in the middle, go on, and find
//! the same curve; and that a second tab only looks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appIsThere, openApp, pageOf, press, quiet, until } from './support/browser.mjs';
import { lossesOf } from './support/native.mjs';
import { browser, server } from './support/stage.mjs';

const SETTINGS = {
  method: 'dsee', rank: '4', nnz: '16', prune: 'none', max_steps: '40', logging_steps: '1', eval_strategy: 'no', save_strategy: 'no', max_train_samples: '400',
};
const LINK = `#${new URLSearchParams(SETTINGS)}`;

const ready = (page) => until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
const steps = (page, n) => until(page, (dsee, n) => dsee.losses.some(([step]) => step >= n), `step ${n}`, { argument: n });
const losses = (page) => page.evaluate(() => window.dsee.losses);

test('a run survives a reload and goes on with the same curve', async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  const page = await openApp(context, server.url + LINK);
  await ready(page);
  await page.keyboard.press('Control+Enter');
  await steps(page, 12);
  assert.match(await page.title(), /\d+\/40/);
  const second = await openApp(context, server.url);
  await until(second, (dsee) => dsee.notices.includes('read_only'), 'being told to only look');
  await second.close();

  await page.evaluate(() => window.dsee.settled());
  const before = await losses(page);
  page.on('dialog', (dialog) => dialog.accept());
  await page.reload();
  await appIsThere(page);
  await until(page, (dsee) => dsee.notices.includes('last_run'), 'the last run');
  await press(page, /Resume/);
  await until(page, (dsee) => dsee.events.some((event) => event.event === 'finished'), 'the end');
  const later = await losses(page);
  const first = later[0][0];
  assert.ok(first > 1 && first <= before.at(-1)[0] + 1, `seen up to step ${before.at(-1)[0]}, then from ${first} on`);
  assert.equal(later.at(-1)[0], 40);
  const unbroken = new Map(await lossesOf(SETTINGS));
  for (const [step, loss] of [...before, ...later]) {
    assert.ok(Math.abs(loss - unbroken.get(step)) < 1e-3, `step ${step}: ${loss}, in an unbroken run ${unbroken.get(step)}`);
  }
  quiet(page);
  await context.close();
});

test('a hidden tab goes on training', async () => {
  const context = await browser.newContext();
  const page = await openApp(context, server.url + LINK);
  await ready(page);
  await page.keyboard.press('Control+Enter');
  await steps(page, 2);
  const front = await pageOf(context);
  await front.goto('about:blank');
  await front.bringToFront();
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  const then = (await losses(page)).length;
  await steps(page, 20);
  const all = await losses(page);
  assert.ok(all.length > then);
  assert.deepEqual(all.map(([step]) => step), all.map((_, i) => i + 1), 'the curve has no gap');
  await context.close();
});

test('an engine that crashes is reported, and a new one starts', async () => {
  const context = await browser.newContext();
  const page = await pageOf(context);
  await page.addInitScript(() => {
    // The worker of the page, to end it from outside.
    const Original = window.Worker;
    window.Worker = class extends Original {
      constructor(...words) {
        super(...words);
        window.engineWorker = this;
      }
    };
  });
  await page.goto(server.url + LINK);
  await appIsThere(page);
  await ready(page);
  await page.evaluate(() => window.engineWorker.onerror(new ErrorEvent('error', { message: 'out of memory' })));
  await until(page, (dsee) => /The engine has stopped: out of memory/.test(dsee.status), 'the report');
  await page.evaluate(() => { window.dsee.adapter = null; });
  await press(page, /new engine/i);
  await until(page, (dsee) => dsee.adapter !== null, 'a new engine');
  await ready(page);
  await context.close();
});
