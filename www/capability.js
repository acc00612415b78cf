//! What this browser can do, from the first thing that may be missing to the last, each with its own words.

/** What the app cannot open without; `null` if it is all there. */
export function missingForWindow() {
  if (typeof WebAssembly !== 'object' || typeof WebAssembly.compileStreaming !== 'function') {
    return {
      title: 'This browser is too old for the app',
      text: 'The app needs WebAssembly, which every browser has had since 2018, or which is switched off here.',
      steps: ['Update the browser, or open this page in a current Chrome, Edge, Firefox or Safari.'],
    };
  }
  const context = document.createElement('canvas').getContext('webgl2');
  if (!context) {
    return {
      title: 'The window cannot be drawn',
      text: 'The app draws its window with WebGL 2, and this browser offers none.',
      steps: [
        'Switch on “Use graphics acceleration when available” in the browser’s settings and restart it.',
        'Update the graphics driver. In a virtual machine or a remote desktop, try a browser outside of it.',
      ],
    };
  }
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return null;
}

/** Storage a kernel must see at once, by WebGPU's own guarantee. */
const LEAST_BINDING_BYTES = 128 * 1024 * 1024;

/**
 * Whether models can be trained here: `{ level, title, text, steps }`, or `null` if nothing needs to be said.
 * Level `none` means that nothing can be computed; the window opens all the same.
 */
export async function checkGpu() {
  if (!navigator.gpu) {
    return none('no-webgpu', 'This browser has no WebGPU, so models cannot be trained here.', withoutWebGpu());
  }
  let adapter = null;
  let reason = '';
  try {
    adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    reason = ` (${error.message})`;
  }
  if (!adapter) {
    return none('no-adapter', `WebGPU is there, but it finds no graphics card it may use${reason}.`, withoutAdapter());
  }
  if (adapter.limits.maxStorageBufferBindingSize < LEAST_BINDING_BYTES || adapter.limits.maxComputeInvocationsPerWorkgroup < 256) {
    return none('small-limits', 'This graphics card allows less memory or parallel work than WebGPU promises.', [
      'Update the graphics driver and the browser.',
      'If the machine has a second graphics card, let the browser use that one.',
    ]);
  }
  try {
    (await adapter.requestDevice()).destroy();
  } catch (error) {
    return none('device-refused', `The graphics card is there, but refuses to work for this page (${error.message}).`, [
      'Close other pages and programs that use the graphics card, then reload.',
      'Restart the browser; after a driver crash it blocks the card until then.',
    ]);
  }
  if (adapter.info?.isFallbackAdapter || adapter.isFallbackAdapter || adapter.info?.architecture === 'swiftshader') {
    return {
      level: 'software',
      kind: 'software',
      title: 'No graphics card in use.',
      text: 'The processor does its work: everything is right, but slow. Small models only.',
      steps: withoutAdapter(),
    };
  }
  return null;
}

function none(kind, text, steps) {
  return {
    level: 'none',
    kind,
    title: 'Training is not possible in this browser.',
    text: `${text} Lessons and saved runs work.`,
    steps,
  };
}

/** Steps for a browser without `navigator.gpu`. */
function withoutWebGpu() {
  if (!window.isSecureContext) {
    return ['Browsers offer WebGPU only on secure pages: open this one by https, or on the machine itself as localhost.'];
  }
  const agent = navigator.userAgent;
  const linux = /Linux/.test(agent) && !/Android/.test(agent);
  if (/Firefox\//.test(agent)) {
    return [
      'Firefox has WebGPU on Windows since 141 and on Macs with Apple silicon since 145: update it.',
      'Elsewhere: open about:config, set dom.webgpu.enabled to true, restart; or use Chrome or Edge.',
    ];
  }
  if (/iPhone|iPad/.test(agent) || (/Safari\//.test(agent) && !/Chrom/.test(agent))) {
    return ['Safari has WebGPU since version 26: update iOS, iPadOS or macOS.'];
  }
  if (/Android/.test(agent)) {
    return ['Chrome has WebGPU on Android 12 and later since version 121: update Chrome.'];
  }
  return [
    linux
      ? 'Chrome on Linux has WebGPU since 144 (Intel) and 147 (NVIDIA). Before: open chrome://flags/#enable-unsafe-webgpu, enable it, restart.'
      : 'Chrome and Edge have WebGPU since 113: update the browser.',
    'See chrome://gpu for what the browser thinks of the graphics card.',
  ];
}

/** Steps for a browser that has WebGPU but no graphics card for it. */
function withoutAdapter() {
  const steps = [
    'Switch on “Use graphics acceleration when available” in the browser’s settings and restart it.',
    'Update the graphics driver; browsers block old ones.',
  ];
  if (/Linux/.test(navigator.userAgent) && /Chrom/.test(navigator.userAgent)) {
    steps.push('On Linux, also enable chrome://flags/#enable-unsafe-webgpu and chrome://flags/#enable-vulkan.');
  }
  return steps;
}
