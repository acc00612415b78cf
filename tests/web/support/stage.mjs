//! The server and the browser of one file of tests: there before its first test, gone after its last. Importing them is
//! all it takes.

import { after, before } from 'node:test';
import { launch } from './browser.mjs';
import { serve } from './server.mjs';

export let server;
export let browser;

before(async () => {
  server = await serve();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.close();
});
