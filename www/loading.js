//! Loads and compiles the wasm file while counting its bytes. Uncompressed ones: the length a server names is that of
//! what it sends, which may be compressed.

/**
 * Compiles the file at `url`; `onBytes(n)` hears how many of its bytes are here.
 * The module serves the page and the worker, so that it is compiled once.
 */
export async function compile(url, onBytes) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`the app could not be loaded: the server answers ${response.status} to ${url}`);
  }
  let n = 0;
  const counted = response.body.pipeThrough(new TransformStream({
    transform(chunk, controller) {
      n += chunk.byteLength;
      onBytes(n);
      controller.enqueue(chunk);
    },
  }));
  return WebAssembly.compileStreaming(new Response(counted, { headers: { 'Content-Type': 'application/wasm' } }));
}

/** Bytes as people read them. */
export function megabytes(n) {
  return `${(n / 1e6).toFixed(1)} MB`;
}
