//! The browser's side of the model hub: requests, and files that are kept (Cache API). Which file comes next, and what
//! an answer means, is decided by `app-web/src/hub`.
//!
//! A file comes in parts, each kept as soon as it is there; when the last one is, they become one entry under the
//! file's pinned address. So a download that was cut goes on from its last byte, also after a reload.

const FILES = 'dsee-models';
const PARTS = 'dsee-parts';
/** Bytes of a part: what at most is fetched again after a crash, and what at most lies in memory. */
const PART_BYTES = 16 * 1024 * 1024;

export class HubStore {
  #problem;
  #abort = null;
  /** What the browser has no room for lives as long as the page: address → `{ headers, blob }`. */
  #memory = new Map();

  constructor(problem) {
    this.#problem = problem;
  }

  /** A hub of the page's own host named by `?hub=`, for tests; empty for the public one. */
  endpoint() {
    const named = new URLSearchParams(location.search).get('hub');
    const url = named && new URL(named, location.href);
    return url && url.origin === location.origin ? url.href : '';
  }

  /** Resolves after a while. */
  sleep(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  /** Ends the request under way. */
  cancel() {
    this.#abort?.abort();
  }

  /** Asks for a file or a part of it. Rejects where there is no answer at all. */
  async request(url, range, authorization) {
    this.#abort = new AbortController();
    const headers = {};
    if (range) headers.Range = range;
    if (authorization) headers.Authorization = authorization;
    const response = await fetch(url, {
      headers,
      signal: this.#abort.signal,
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
    });
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      bytes: async () => new Uint8Array(await response.arrayBuffer()),
      discard: () => response.body?.cancel(),
      body: response.body,
    };
  }

  /**
   * Keeps the rest of a file as it comes, from byte `start` on. `onBytes(n)` hears of every piece.
   * Rejects when the connection breaks; what came until then is kept.
   */
  async keepRest(url, start, identity, answer, onBytes) {
    const reader = answer.body.getReader();
    let pieces = [];
    let n = 0;
    const flush = async () => {
      if (n === 0) return;
      await this.#put(PARTS, `${url}?part=${start}`, new Blob(pieces), { 'x-identity': identity });
      start += n;
      pieces = [];
      n = 0;
    };
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        pieces.push(value);
        n += value.byteLength;
        onBytes(value.byteLength);
        if (n >= PART_BYTES) await flush();
      }
    } finally {
      await flush();
    }
    return start;
  }

  /** What is there of a file that is not complete: `{ n_bytes, identity }`. */
  async partial(url) {
    const parts = await this.#parts(url);
    const last = parts.at(-1);
    return last ? { n_bytes: last.start + last.blob.size, identity: last.headers['x-identity'] } : { n_bytes: 0, identity: '' };
  }

  async dropPartial(url) {
    for (const { key } of await this.#parts(url)) await this.#delete(PARTS, key);
  }

  /** Makes one entry of the parts of a file. */
  async complete(url, id, file) {
    const parts = await this.#parts(url);
    await this.store(url, id, file, new Blob(parts.map(({ blob }) => blob)));
    for (const { key } of parts) await this.#delete(PARTS, key);
  }

  /** Keeps a whole file of a model. */
  async store(url, id, file, content) {
    await this.#put(FILES, url, new Blob([content]), { 'x-model': id, 'x-file': file });
  }

  /** Size of a complete file that is kept; -1 if it is not. */
  async has(url) {
    const entry = await this.#get(FILES, url);
    return entry ? entry.blob.size : -1;
  }

  /** The first bytes of a file that is kept, and all of small ones. */
  async read(url, end) {
    const entry = await this.#get(FILES, url);
    return new Uint8Array(await entry.blob.slice(0, end).arrayBuffer());
  }

  /** The files of a model, `[{ name, blob }]`. */
  async files(id) {
    const entries = (await this.#entries(FILES)).filter(({ headers }) => headers['x-model'] === id);
    return entries.map(({ headers, blob }) => ({ name: headers['x-file'], blob }));
  }

  /** Removes a model. */
  async remove(id) {
    for (const { key, headers } of await this.#entries(FILES)) {
      if (headers['x-model'] === id) await this.#delete(FILES, key);
    }
  }

  /** What is kept: `{ models: [[id, bytes]], n_used, n_available }`. */
  async storage() {
    const models = new Map();
    for (const { headers, blob } of await this.#entries(FILES)) {
      models.set(headers['x-model'], (models.get(headers['x-model']) ?? 0) + blob.size);
    }
    const { usage = 0, quota } = await (navigator.storage?.estimate?.() ?? {});
    return {
      models: [...models].sort(),
      n_used: Math.round(usage),
      n_available: quota === undefined ? null : Math.max(0, Math.round(quota - usage)),
    };
  }

  async #parts(url) {
    const prefix = `${url}?part=`;
    const parts = (await this.#entries(PARTS)).filter(({ key }) => key.startsWith(prefix));
    return parts.map((part) => ({ ...part, start: Number(part.key.slice(prefix.length)) })).sort((a, b) => a.start - b.start);
  }

  async #put(name, key, blob, headers) {
    try {
      const cache = await caches.open(name);
      await cache.put(key, new Response(blob, { headers }));
    } catch (error) {
      if (this.#memory.size === 0) {
        const why = error.name === 'QuotaExceededError' ? 'The browser has no more room for this page' : `The browser cannot keep files (${error.message})`;
        this.#problem(`${why}: the model stays in memory until the page is closed.`);
      }
      this.#memory.set(`${name} ${key}`, { key, headers, blob });
    }
  }

  async #get(name, key) {
    const there = this.#memory.get(`${name} ${key}`);
    if (there) return there;
    const response = await (await openCache(name))?.match(key);
    return response && entryOf(key, response);
  }

  async #entries(name) {
    const entries = [...this.#memory].filter(([key]) => key.startsWith(`${name} `)).map(([, entry]) => entry);
    const cache = await openCache(name);
    for (const request of (await cache?.keys()) ?? []) {
      entries.push(await entryOf(request.url, await cache.match(request)));
    }
    return entries;
  }

  async #delete(name, key) {
    this.#memory.delete(`${name} ${key}`);
    await (await openCache(name))?.delete(key);
  }
}

/** Private windows may have no caches. */
function openCache(name) {
  return caches.open(name).catch(() => null);
}

/** The blob of a kept answer stays where it is until it is read. */
async function entryOf(key, response) {
  return { key, headers: Object.fromEntries(response.headers), blob: await response.blob() };
}
