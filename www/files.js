//! Files in and out: chosen, dropped, downloaded. The page holds them; the app sees their names and numbers.

/** Text files up to this size are read at once, so that settings and pasted examples need no second step. */
const MOST_TEXT_BYTES = 256 * 1024;
const TEXT_NAME = /\.(toml|json|txt|md)$/i;
/** What a dropped folder may hold before we stop looking: nobody means to drop a whole disk. */
const MOST_FILES = 500;

const held = new Map();
let newest = 0;

/** Keeps blobs `[{ name, blob }]` for the app and describes them: `[{ id, name, n_bytes, text }]`. */
export function hold(files) {
  return Promise.all(files.map(async ({ name, blob }) => {
    const id = ++newest;
    held.set(id, blob);
    const text = TEXT_NAME.test(name) && blob.size <= MOST_TEXT_BYTES ? await blob.text() : null;
    return { id, name, n_bytes: blob.size, text };
  }));
}

/** The blob kept under a number. */
export function blobOf(id) {
  return held.get(id);
}

/** Lets the user choose files, or a folder; `[]` if nothing was chosen. */
export function pick({ folder, accept }) {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.accept = accept;
    input.hidden = true;
    input.id = 'picker';
    // Phones have no folders to choose: there it is the files of the folder.
    if (folder && 'webkitdirectory' in input && !/Android|iPhone|iPad/.test(navigator.userAgent)) {
      input.webkitdirectory = true;
    }
    const done = () => {
      input.remove();
      resolve([...input.files].map((blob) => ({ name: blob.webkitRelativePath || blob.name, blob })));
    };
    input.onchange = done;
    input.oncancel = done;
    document.getElementById('picker')?.remove();
    document.body.append(input);
    input.click();
  });
}

/** Hears of everything dropped on the page: `onDrop(name, [{ name, blob }])`. */
export function listenToDrops(canvas, onDrop, onProblem) {
  window.addEventListener('dragover', (event) => event.preventDefault());
  // Before egui, which knows no folders.
  window.addEventListener('drop', async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    // egui was told that something hovers over it: that is over.
    canvas.dispatchEvent(new DragEvent('dragleave'));
    // Both lists are gone when this handler returns, so they are read before the first wait.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map((blob) => ({ name: blob.name, blob }));
    try {
      const files = entries.length > 0 ? (await Promise.all(entries.map((entry) => walk(entry, '')))).flat() : plain;
      if (files.length > MOST_FILES) {
        onProblem(`The folder holds ${files.length} files; drop the model’s own folder.`);
      } else if (files.length > 0) {
        onDrop(files[0].name.split('/')[0], files);
      }
    } catch (error) {
      onProblem(`What was dropped could not be read: ${error.message}. Try the button that chooses files.`);
    }
  }, { capture: true });
}

/** All files below an entry of the file system, with their paths. */
async function walk(entry, path) {
  const name = path + entry.name;
  if (entry.isFile) {
    const blob = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name, blob }];
  }
  const reader = entry.createReader();
  const files = [];
  // A folder comes in portions; the last one is empty.
  while (files.length <= MOST_FILES) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) break;
    files.push(...(await Promise.all(portion.map((inner) => walk(inner, `${name}/`)))).flat());
  }
  return files;
}

/** Saves bytes the way browsers do: as a download. */
export function download(name, bytes) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The download reads the blob after the click; a minute is enough to have begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
