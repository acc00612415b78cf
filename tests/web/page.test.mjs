//! Proves that the page says what it is before the app is there, that the app comes from any path, and that each
//! thing a browser may lack has its own readable message.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appIsThere, launch, openApp, pageOf, quiet } from './support/browser.mjs';
import { browser, server } from './support/stage.mjs';

test('purpose and loading bar are there before the app', async () => {
  const page = await pageOf(await browser.newContext());
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await page.route('**/*.wasm', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(server.url);
  const text = await page.locator('#intro').innerText();
  assert.match(text, /Teach a language model/);
  assert.match(text, /stay on this device/);
  assert.equal(await page.locator('#bar').evaluate((bar) => bar.value), 0);
  const total = Number(await page.locator('#loading').getAttribute('data-bytes'));
  assert.ok(total > 1e6, `the size of the app is not on the page: ${total}`);
  release();
  await appIsThere(page);
  assert.equal(await page.locator('#bar').evaluate((bar) => bar.value), 1, 'all bytes were counted, and no more');
  await page.locator('#intro').waitFor({ state: 'hidden' });
  quiet(page);
});

test('without scripts the page still says what it is', async () => {
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(server.url);
  const text = await page.locator('body').innerText();
  assert.match(text, /Teach a language model/);
  assert.match(text, /JavaScript is off/);
});

test('the first screen comes quickly, and says which adapter', async () => {
  const page = await openApp(await browser.newContext({ viewport: { width: 1280, height: 720 } }), server.url);
  const [ms, adapter] = await page.evaluate(() => [window.dsee.firstScreenMs, window.dsee.adapter.name]);
  console.log(`first screen after ${Math.round(ms)} ms, cold; adapter ${adapter}`);
  // Two seconds on an ordinary machine; five times as much where two cores are shared.
  assert.ok(ms < 10_000, `${ms} ms`);
  assert.match(await page.locator('#notice').innerText(), /No graphics card in use/);
  quiet(page);
});

test('nothing is loaded from elsewhere', async () => {
  const page = await pageOf(await browser.newContext());
  const hosts = new Set();
  page.on('request', (request) => hosts.add(new URL(request.url()).origin));
  await page.goto(server.url);
  await appIsThere(page);
  hosts.delete('null');
  assert.deepEqual([...hosts], [new URL(server.url).origin]);
});

test('an app that does not load becomes a report', async () => {
  const page = await pageOf(await browser.newContext());
  await page.route('**/*.wasm', (route) => route.fulfill({ status: 503, body: '' }));
  await page.goto(server.url);
  await page.locator('#report').waitFor({ state: 'visible' });
  assert.match(await page.locator('#report').innerText(), /could not start/);
  assert.match(await page.locator('#report-body').textContent(), /503/);
  assert.equal(await page.locator('#canvas').count(), 0);
  await page.locator('#report-copy').click();
});

test('without an adapter the window opens under a message', async () => {
  const bare = await launch({ webgpu: false });
  try {
    const page = await pageOf(await bare.newContext());
    await page.goto(server.url);
    await page.waitForFunction(() => window.dsee?.firstScreenMs > 0);
    await page.locator('#notice').waitFor({ state: 'visible' });
    const text = await page.locator('#notice').innerText();
    assert.match(text, /Training is not possible in this browser/);
    assert.match(text, /finds no graphics card|has no WebGPU/);
    assert.ok(await page.locator('#canvas').isVisible());
  } finally {
    await bare.close();
  }
});

for (const [name, script, words] of [
  ['WebGPU', () => { delete Navigator.prototype.gpu; }, /has no WebGPU/],
  ['large enough limits', () => {
    const limits = Object.getOwnPropertyDescriptor(GPUSupportedLimits.prototype, 'maxStorageBufferBindingSize');
    Object.defineProperty(GPUSupportedLimits.prototype, 'maxStorageBufferBindingSize', { ...limits, get: () => 1 << 20 });
  }, /less memory or parallel work/],
  ['a device', () => { GPUAdapter.prototype.requestDevice = () => Promise.reject(new Error('blocked')); }, /refuses to work.*blocked/],
]) {
  test(`without ${name} the window opens under a message`, async () => {
    const page = await pageOf(await browser.newContext());
    await page.addInitScript(script);
    await page.goto(server.url);
    await page.locator('#notice').waitFor({ state: 'visible' });
    assert.match(await page.locator('#notice').innerText(), words);
    assert.ok(await page.locator('#notice-steps li').count() > 0, 'what to do is said');
  });
}

for (const [name, script, words] of [
  ['WebGL 2', () => {
    const get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function context(kind, ...more) { return kind === 'webgl2' ? null : get.call(this, kind, ...more); };
  }, /cannot be drawn/],
  ['WebAssembly', () => { delete window.WebAssembly; }, /too old/],
]) {
  test(`without ${name} the page explains itself`, async () => {
    const page = await pageOf(await browser.newContext());
    await page.addInitScript(script);
    await page.goto(server.url);
    await page.locator('#report').waitFor({ state: 'visible' });
    assert.match(await page.locator('#report').innerText(), words);
  });
}
