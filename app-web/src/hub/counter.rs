//! How a download stands, told a few times a second.

use std::{cell::RefCell, rc::Rc};

use dsee_core::{
    clock::{Instant, now},
    hub::Meter,
};
use dsee_ui::shell::Download;
use wasm_bindgen::prelude::*;

use super::bridge::HubStore;

/// Seconds between two tellings.
const PAUSE_SECONDS: f64 = 0.2;

/// Hears how a download stands. Says `false` to end it.
pub type Progress = Rc<dyn Fn(&Download) -> bool>;

/// Counts the bytes of all files of one download.
#[derive(Clone)]
pub struct Counter {
    began: Instant,
    count: Rc<RefCell<Count>>,
    progress: Progress,
    store: HubStore,
}

#[derive(Default)]
struct Count {
    meter: Meter,
    shown: Download,
    /// Bytes counted of the file under way: they are taken back when it begins anew.
    of_file: u64,
    told_at: f64,
}

impl Counter {
    /// Nothing has come yet of the model called `id`.
    pub fn new(id: &str, progress: Progress, store: HubStore) -> Self {
        let shown = Download { id: id.to_owned(), ..Download::default() };
        let count = Count { shown, told_at: -PAUSE_SECONDS, ..Count::default() };
        Self { began: now(), count: Rc::new(RefCell::new(count)), progress, store }
    }

    /// The next file, and the bytes of all files that are known of.
    pub fn begin(&self, file: &str, n_total: u64) {
        let count = &mut *self.count.borrow_mut();
        file.clone_into(&mut count.shown.file);
        count.meter.set_total(n_total);
        count.of_file = 0;
    }

    /// The file under way begins, or begins again, after `n_bytes` that were here before.
    pub fn start_file(&self, n_bytes: u64) {
        let count = &mut *self.count.borrow_mut();
        count.meter.drop_kept(count.of_file);
        count.meter.add_kept(n_bytes);
        count.of_file = n_bytes;
    }

    /// The file under way is here, and needed no counting.
    pub fn whole_file(&self, n_bytes: u64) {
        self.start_file(n_bytes);
        self.tell();
    }

    /// Bytes that are here.
    pub fn n_done(&self) -> u64 {
        self.count.borrow().meter.n_done()
    }

    /// Whether the user has ended the download.
    pub fn is_cancelled(&self) -> bool {
        !(self.progress)(&self.count.borrow().shown)
    }

    /// What to call with the number of bytes of every piece that comes.
    pub fn listener(&self) -> Closure<dyn FnMut(f64)> {
        let counter = self.clone();
        Closure::new(move |n_bytes: f64| counter.received(n_bytes as u64))
    }

    fn received(&self, n_bytes: u64) {
        let seconds = self.began.elapsed().as_secs_f64();
        let due = {
            let count = &mut *self.count.borrow_mut();
            count.meter.add_received(seconds, n_bytes);
            count.of_file += n_bytes;
            let due = seconds - count.told_at >= PAUSE_SECONDS;
            if due {
                count.told_at = seconds;
            }
            due
        };
        if due {
            self.tell();
        }
    }

    fn tell(&self) {
        let shown = {
            let count = &mut *self.count.borrow_mut();
            count.shown.n_done = count.meter.n_done();
            count.shown.n_total = count.meter.n_total();
            count.shown.rate = count.meter.rate();
            count.shown.clone()
        };
        if !(self.progress)(&shown) {
            self.store.cancel();
        }
    }
}
