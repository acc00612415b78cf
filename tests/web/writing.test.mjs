//! Proves that the page has the tiny decoder: fetched only when it is asked for, tuned, and writing; and that a page
//! whose files of it are gone says so and stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApp, press, quiet, until } from './support/browser.mjs';
import { browser, server } from './support/stage.mjs';

const VIEW = { viewport: { width: 1280, height: 900 } };
const SETTINGS = {
  task_type: 'generation', method: 'lora', rank: '4', prune: 'none', max_steps: '4', eval_strategy: 'no', save_strategy: 'no', max_train_samples: '64',
};
const isDecoder = (url) => url.includes('/dsee-tiny-decoder/');

test('the tiny decoder is fetched when it is asked for, learns, and writes', async () => {
  const context = await browser.newContext(VIEW);
  const asked = [];
  context.on('request', (request) => asked.push(request.url()));
  const first = await openApp(context, server.url);
  await until(first, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
  assert.ok(!asked.some(isDecoder), 'a visitor who reads does not load the model that writes');
  await first.close();

  const page = await openApp(context, `${server.url}#${new URLSearchParams(SETTINGS)}`);
  await until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
  assert.equal(await page.evaluate(() => window.dsee.events.findLast((event) => event.type === 'model_loaded').name), 'dsee-tiny-decoder');
  await page.keyboard.press('Control+Enter');
  await until(page, (dsee) => dsee.events.some((event) => event.event === 'finished'), 'the end');
  await press(page, /^Try it/);
  await press(page, /^name : /);
  await until(page, (dsee) => dsee.events.some((event) => event.type === 'written'), 'texts');
  const { texts } = await page.evaluate(() => window.dsee.events.findLast((event) => event.type === 'written'));
  assert.ok(texts.length >= 2 && texts.every(({ text }) => text.trim().length > 0), `before and after: ${JSON.stringify(texts)}`);
  quiet(page);
  await context.close();
});

test('a decoder that is not on the server is said to be so', async () => {
  const context = await browser.newContext(VIEW);
  await context.route((url) => isDecoder(url.pathname), (route) => route.fulfill({ status: 404 }));
  const page = await openApp(context, `${server.url}#${new URLSearchParams(SETTINGS)}`);
  await until(page, (dsee) => dsee.events.some((event) => event.type === 'rejected'), 'being told');
  const { problems } = await page.evaluate(() => window.dsee.events.findLast((event) => event.type === 'rejected'));
  assert.match(JSON.stringify(problems), /dsee-tiny-decoder could not be loaded: the server answers 404 to/);
  await context.close();
});
