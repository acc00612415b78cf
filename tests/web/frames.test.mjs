//! Proves that the window stays quick to draw while the worker trains: its frames are counted by the app itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApp, quiet, until } from './support/browser.mjs';
import { browser, server } from './support/stage.mjs';

/** Longest time of 95 frames in 100, in milliseconds; five times as much where two cores compute and draw in software. */
const MOST_MS = 33 * 5;
const SETTINGS = { max_steps: '80', logging_steps: '1', eval_strategy: 'no', save_strategy: 'no', prune: 'none' };

test('frames are drawn quickly while the worker trains', async () => {
  const page = await openApp(await browser.newContext({ viewport: { width: 1280, height: 720 } }), `${server.url}#${new URLSearchParams(SETTINGS)}`);
  await until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
  assert.equal(await page.evaluate(() => window.dsee.frames()), null, 'nothing is counted before a run');
  await page.keyboard.press('Control+Enter');
  await until(page, (dsee) => dsee.events.some((event) => event.event === 'finished'), 'the end');
  const [frames, adapter] = await page.evaluate(() => [window.dsee.frames(), window.dsee.adapter.name]);
  console.log(`${frames.n_frames} frames in 80 steps: half within ${frames.median_ms.toFixed(1)} ms, 95 % within ${frames.p95_ms.toFixed(1)} ms, the longest ${frames.longest_ms.toFixed(1)} ms; ${adapter}`);
  assert.ok(frames.n_frames >= 50, `${frames.n_frames} frames`);
  assert.ok(frames.p95_ms < MOST_MS, `${frames.p95_ms} ms`);
  quiet(page);
  await page.context().close();
});
