//! Proves that what was trained leaves the page as one download that reads back: a zip whose weights hold the tensors
//! peft looks for.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openApp, press, quiet, until } from './support/browser.mjs';
import { browser, server } from './support/stage.mjs';

/** The files of a zip without compression: name → bytes. */
function unzip(bytes) {
  const files = new Map();
  for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50;) {
    const [method, size, n, extra] = [bytes.readUInt16LE(at + 8), bytes.readUInt32LE(at + 18), bytes.readUInt16LE(at + 26), bytes.readUInt16LE(at + 28)];
    assert.equal(method, 0, 'weights do not compress');
    const start = at + 30 + n + extra;
    files.set(bytes.toString('utf8', at + 30, at + 30 + n), bytes.subarray(start, start + size));
    at = start + size;
  }
  return files;
}

test('an adapter leaves as one verified download', async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  const settings = 'method=dsee&rank=2&nnz=4&prune=none&max_steps=2&eval_strategy=no&save_strategy=no&max_train_samples=64';
  const page = await openApp(context, `${server.url}#screen=export&${settings}`);
  await until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
  await page.keyboard.press('Control+Enter');
  await until(page, (dsee) => dsee.events.some((event) => event.event === 'finished'), 'the end');
  await press(page, /^Export/);
  await press(page, /Make.*adapter/i);
  await until(page, (dsee) => dsee.events.some((event) => event.type === 'exported'), 'the export');
  const { exported } = await page.evaluate(() => window.dsee.events.findLast((event) => event.type === 'exported'));
  assert.ok(exported.verified_tensors > 0);
  const saved = page.waitForEvent('download');
  await press(page, /Save.*adapter/i);
  const download = await saved;
  assert.match(download.suggestedFilename(), /adapter\.zip$/);
  const files = unzip(readFileSync(await download.path()));
  const named = (end) => [...files].find(([name]) => name.endsWith(end))?.[1];
  assert.equal(files.size, exported.files.length);
  const config = JSON.parse(named('adapter_config.json'));
  assert.equal(config.peft_type, 'LORA');
  const weights = named('adapter_model.safetensors');
  const header = JSON.parse(weights.toString('utf8', 8, 8 + Number(weights.readBigUInt64LE(0))));
  const last = Math.max(...Object.values(header).filter((entry) => entry.data_offsets).map((entry) => entry.data_offsets[1]));
  assert.equal(8 + Number(weights.readBigUInt64LE(0)) + last, weights.length, 'the file is whole');
  assert.ok(Object.keys(header).some((name) => /^base_model\.model\..*lora_A\.weight$/.test(name)));
  quiet(page);
  await context.close();
});
