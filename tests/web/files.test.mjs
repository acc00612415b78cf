//! Proves that files come in by dropping them: data with guessed columns and a warning, a model folder, and a large one
//! that is never in memory as a whole.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dropFiles, openApp, quiet, until } from './support/browser.mjs';
import { TINY_BERT, folder, makeBert, writeReviews } from './support/files.mjs';
import { browser, server } from './support/stage.mjs';

const ready = (page) => until(page, (dsee) => dsee.status.startsWith('Ready'), 'model and data');
const newest = (page, type) => page.evaluate((type) => window.dsee.events.findLast((event) => event.type === type), type);

async function open(link) {
  const page = await openApp(await browser.newContext({ viewport: { width: 1280, height: 720 } }), server.url + link);
  await ready(page);
  return page;
}

test('a dropped table is read, its columns guessed, odd labels named', async () => {
  const page = await open('#screen=data');
  const path = join(folder('data'), 'reviews.csv');
  writeReviews(path);
  await dropFiles(page, [path]);
  await until(page, (dsee) => dsee.events.some((event) => event.type === 'data_loaded' && !event.embedded), 'the table');
  const card = await newest(page, 'data_loaded');
  assert.equal(card.name, 'reviews.csv');
  assert.equal(card.text_column, 'review');
  assert.equal(card.label_column, 'sentiment');
  assert.equal(card.class_counts.reduce((sum, n) => sum + n, 0), card.n_train);
  assert.match(card.warnings.join('\n'), /Positive/);
  quiet(page);
  await page.context().close();
});

test('a dropped model folder is read', async () => {
  const page = await open('#screen=model');
  await dropFiles(page, [TINY_BERT]);
  await until(page, (dsee) => dsee.events.some((event) => event.type === 'model_loaded' && !event.embedded), 'the model');
  const card = await newest(page, 'model_loaded');
  assert.equal(card.name, 'tiny_bert');
  assert.equal(card.family, 'bert');
  quiet(page);
  await page.context().close();
});

test('a large model is never in memory as a whole', async () => {
  const page = await open('#screen=model');
  const place = folder('large_bert');
  makeBert(place, { hidden: 384, layers: 6, feedForward: 1536, vocab: 30522, positions: 512 });
  const heaps = () => page.evaluate(() => [window.dsee.pageHeap(), window.dsee.engineHeap]);
  const before = await heaps();
  await dropFiles(page, [place]);
  await until(page, (dsee) => dsee.events.some((event) => event.type === 'model_loaded' && event.name === 'large_bert'), 'the model');
  await ready(page);
  const after = await heaps();
  const grown = after.map((bytes, i) => (bytes - before[i]) / 1e6);
  const size = statSync(join(place, 'model.safetensors')).size / 1e6;
  console.log(`${size.toFixed(0)} MB dropped: heap of the page +${grown[0].toFixed(0)} MB, of the engine +${grown[1].toFixed(0)} MB`);
  assert.ok(size > 89, `${size} MB`);
  assert.ok(grown[0] < 60 && grown[1] < 60, `${grown}`);
  await page.context().close();
});
