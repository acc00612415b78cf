//! Serves the built page below a path, as any static host would, and a model hub of its own beside it.

import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built page. */
export const SITE = fileURLToPath(new URL('../../../www/dist/', import.meta.url));
/** Not the root: all addresses of the page have to be relative. */
const UNDER = '/some/path/';
const HUB = `${UNDER}hub/`;
/** The commit the hub answers with. */
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.json': 'application/json',
};

/** Starts a server: `{ url, hub, close() }`. `hub` = `{ models: { id: folder }, cutAt, requests }`, changed at will. */
export async function serve() {
  const hub = { models: {}, cutAt: null, requests: [] };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    if (path.startsWith(HUB)) return answerHub(hub, path.slice(HUB.length), request, response);
    const file = path.startsWith(UNDER) && join(SITE, normalize(path.slice(UNDER.length) || 'index.html'));
    if (!file || !file.startsWith(SITE) || !existsSync(file) || !statSync(file).isFile()) return refuse(response);
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Length': statSync(file).size });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${server.address().port}${UNDER}`,
    hub,
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

/** `<id>/resolve/<revision>/<file>`, with ranges; the connection breaks at the share `cutAt` of a large file, once. */
function answerHub(hub, path, request, response) {
  const [, id, file] = path.match(/^(.+)\/resolve\/[^/]+\/(.+)$/) ?? [];
  const folder = hub.models[id];
  const place = folder && join(folder, file);
  hub.requests.push({ file, range: request.headers.range });
  if (!place || !existsSync(place)) return refuse(response, { 'x-error-code': folder ? 'EntryNotFound' : 'RepoNotFound' });
  const bytes = readFileSync(place);
  const [, first, last] = request.headers.range?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
  const start = Number(first ?? 0);
  const end = Math.min(bytes.length, Number(last ?? bytes.length - 1) + 1);
  const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': end - start, ETag: `"${bytes.length}"`, 'x-repo-commit': COMMIT };
  if (first !== undefined) headers['Content-Range'] = `bytes ${start}-${end - 1}/${bytes.length}`;
  response.writeHead(first === undefined ? 200 : 206, headers);
  const cut = hub.cutAt !== null && end - start > 100_000;
  if (!cut) return response.end(bytes.subarray(start, end));
  const stop = start + Math.floor((end - start) * hub.cutAt);
  hub.cutAt = null;
  // Browsers drop what has come but was not read yet when a connection breaks: the page has time to read it here.
  response.write(bytes.subarray(start, stop), () => setTimeout(() => request.socket.end(), 2000));
}

function refuse(response, headers = {}) {
  response.writeHead(404, { 'Content-Type': 'text/plain', ...headers });
  response.end('there is no such file here\n');
}
