//! Proves that a model comes from a hub: only the files that are needed, its settings first; cut off at 60 %, it goes on
//! by a range; and what was kept is used again without asking for it.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { focus, openApp, press, until } from './support/browser.mjs';
import { folder, makeBert } from './support/files.mjs';
import { browser, server } from './support/stage.mjs';

/** Types a model id on the Model screen and presses Download. */
async function download(page, id) {
  // The only one that is open; the canvas gives its text, not its name.
  await focus(page, /text input/);
  await page.keyboard.press('Control+A');
  await page.keyboard.type(id);
  await press(page, /Download/);
}

const ready = (page) => until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
const loaded = (page, name) => until(page,
  (dsee, name) => dsee.events.some((event) => event.type === 'model_loaded' && event.name === name), `model ${name}`, { argument: name });

test('a download that is cut goes on from its last byte', async () => {
  const place = folder('small-bert');
  makeBert(place, { hidden: 64, layers: 2, feedForward: 256, vocab: 2000 });
  const size = statSync(join(place, 'model.safetensors')).size;
  server.hub.models['someone/small-bert'] = place;
  server.hub.cutAt = 0.6;
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await openApp(context, `${server.url}?hub=./hub#screen=model`);
  await ready(page);
  await download(page, 'someone/small-bert');
  await loaded(page, 'someone/small-bert');
  const asked = server.hub.requests.map(({ file, range }) => `${file} ${range ?? 'whole'}`);
  assert.match(asked[0], /^config.json/);
  assert.equal(asked[1], 'model.safetensors bytes=0-7', 'the header is looked at before anything large');
  const weights = server.hub.requests.filter(({ file }) => file === 'model.safetensors').slice(2);
  assert.equal(weights.length, 2, `${asked}`);
  assert.equal(weights[0].range, undefined);
  const start = Number(weights[1].range.match(/^bytes=(\d+)-/)[1]);
  assert.ok(start > 0.5 * size && start <= 0.6 * size, `it goes on at ${start} of ${size}`);
  assert.equal(await page.evaluate(() => window.dsee.events.findLast((event) => event.type === 'model_loaded').family), 'bert');

  const large = (from) => server.hub.requests.slice(from).filter(({ file }) => file === 'model.safetensors');
  const before = server.hub.requests.length;
  await page.reload();
  await until(page, (dsee) => dsee?.adapter !== null && dsee.status.startsWith('Ready'), 'the page again');
  await download(page, 'someone/small-bert');
  await loaded(page, 'someone/small-bert');
  assert.deepEqual(large(before), [], 'what is here is not fetched again');
  await context.close();
});

test('a model that is not there is said to be so', async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await openApp(context, `${server.url}?hub=./hub#screen=model`);
  await ready(page);
  await download(page, 'nobody/nothing');
  await until(page, (dsee) => dsee.announced.length > 0, 'the reason');
  assert.match(await page.evaluate(() => window.dsee.announced[0]), /no model `nobody\/nothing`/);
  await context.close();
});
