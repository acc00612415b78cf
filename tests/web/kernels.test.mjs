//! Proves that the browser's own compiler takes every kernel: its pipeline is created on the browser's device.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApp } from './support/browser.mjs';
import { browser, server } from './support/stage.mjs';

test('every kernel becomes a pipeline', async () => {
  const page = await openApp(await browser.newContext(), server.url);
  const { n, failed } = await page.evaluate(async () => {
    const script = document.querySelector('script[type=module]').src;
    const { kernelSources } = await import(new URL('./dsee_web.js', script));
    const adapter = await navigator.gpu.requestAdapter();
    const hasSubgroups = adapter.features.has('subgroups');
    const device = await adapter.requestDevice({ requiredFeatures: hasSubgroups ? ['subgroups'] : [] });
    const failed = [];
    let n = 0;
    for (const { name, source } of JSON.parse(kernelSources())) {
      const subgroup = name.endsWith('_subgroup');
      // Natively these are used where subgroups are there; in browsers never, and this one may not know them.
      if (subgroup && !hasSubgroups) continue;
      n += 1;
      const code = subgroup ? `enable subgroups;\n${source}` : source;
      try {
        const module = device.createShaderModule({ code });
        await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
      } catch (error) {
        failed.push(`${name}: ${error.message}`);
      }
    }
    device.destroy();
    return { n, failed };
  });
  console.log(`${n} pipelines`);
  assert.deepEqual(failed, []);
  assert.ok(n > 30, `only ${n} kernels`);
});
