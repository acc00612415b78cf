//! `window.dsee`: what the page knows of itself, to read in the browser's console and in tests. Changes nothing.

export class Facts {
  status = '';
  firstScreenMs = null;
  adapter = null;
  /** `[step of its phase, loss]` of every report. */
  losses = [];
  /** Kinds of events, in their order, without the steps. */
  events = [];
  /** Kinds of what the page told the window. */
  notices = [];
  /** What was read out besides the status. */
  announced = [];
  /** Largest heap of the engine, in bytes. */
  engineHeap = 0;
  /** Resolves when what was told until now is on the disk. */
  settled = () => Promise.resolve();
  pageHeap = () => 0;
  /** How long drawing took during the newest run: `{ n_frames, median_ms, p95_ms, longest_ms }`, or `null`. */
  frames = () => null;

  /** Takes note of an event (JSON text) and gives it back read. */
  note(text, heap) {
    this.engineHeap = Math.max(this.engineHeap, heap);
    const event = JSON.parse(text);
    if (event.type === 'ready') this.adapter = event.adapter;
    if (event.type === 'run' && event.event.event === 'progress') {
      this.losses.push([event.event.step, event.event.loss]);
    } else {
      this.events.push(event.type === 'run' ? event.event : event);
    }
    return event;
  }
}
